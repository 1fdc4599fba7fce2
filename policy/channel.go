package policy

// mailServices are the first labels of the SRV names that belong to mail (RFC 6186, RFC 8314, Outlook's autodiscover),
// with their length octet; all begin with an underscore.
var mailServices = []string{"\x05_imap", "\x06_imaps", "\x05_pop3", "\x06_pop3s", "\x0b_submission", "\x0c_submissions", "\x0d_autodiscover"}

// mailHosts are the first labels by which mail programs look for their settings; all begin with an a.
var mailHosts = []string{"\x0cautodiscover", "\x0aautoconfig"}

// mailBase says whether a question belongs to the mail channel, and of which domain it asks (R3): the name itself for MX,
// the name below the labels for mail SRV names and autodiscover./autoconfig. hosts. labels is how many labels the domain
// lies above the name, base where it begins in the name, in octets.
func mailBase(name []byte, t Type) (mail bool, labels, base int) {
	switch {
	case t == TypeMX:
		return true, 0, 0
	case name[0] == 0:
		return false, 0, 0
	case name[1] == '_':
		for _, s := range mailServices {
			if hasLabel(name, s) {
				rest := name[len(s):]
				if hasLabel(rest, "\x04_tcp") || hasLabel(rest, "\x04_udp") {
					return true, 2, len(s) + 5
				}
			}
		}
	case name[1] == 'a':
		for _, s := range mailHosts {
			if hasLabel(name, s) {
				return true, 1, len(s)
			}
		}
	}
	return false, 0, 0
}

// WebHostsOf says whether the targets of this question's answer are hosts of the web site that a web grant opened: what its HTTPS and
// SVCB records point to serves it (RFC 9460 §2.4, §2.5).
func WebHostsOf(t Type) bool { return t == TypeHTTPS || t == TypeSVCB }

// hasLabel says whether name begins with the label; string(x) == y does not allocate.
func hasLabel(name []byte, label string) bool {
	return len(name) > len(label) && string(name[:len(label)]) == label
}

// MailHostsOf says whether the targets of this question's answer are hosts of the mail that a mail grant opened: the
// addresses of the hosts that MX and mail SRV records point to belong to the grant (R3).
func MailHostsOf(name []byte, t Type) bool {
	if t != TypeMX && t != TypeSRV {
		return false
	}
	mail, _, _ := mailBase(name, t)
	return mail
}
