package settings

import (
	"net/mail"
	"net/netip"
	"strings"
	"time"
)

// Letters is how letters to the offices look.
type Letters struct {
	Language  string   `yaml:"language" doc:"Their language." oneof:"it en de"`
	Heading   []string `yaml:"heading" doc:"Lines below the town's name, at most 5: the IT office, its address." example:"[\"Servizio Sistemi informativi\", \"Via del Municipio 1, 54100 Esempio\"]"`
	Signature []string `yaml:"signature" doc:"Lines above the place for the signature of notices, at most 3." def:"the head of information systems, in the language of the letter" example:"[\"Il dirigente dei Sistemi informativi\", \"ing. Paolo Ferri\"]"`
	Reminders []int    `yaml:"reminders" doc:"How many days before grants of an office end it is reminded, each number once, at most 5 of them from 1 to 365; empty: never."`
}

// Mail is the town's mail server, by which letters go to the offices.
type Mail struct {
	Server   string        `yaml:"server" doc:"host or host:port, such as posta.comune.example.it; port 587 with starttls, 465 with tls, 25 with none if left out. Empty: letters are only printed."`
	From     string        `yaml:"from" doc:"Sender of the letters, the mailbox of the IT office: replies go there." example:"ced@comune.example.it"`
	TLS      string        `yaml:"tls" doc:"starttls sends nothing to a server that does not offer it, tls speaks it from the start, none leaves it out." oneof:"starttls tls none"`
	CA       string        `yaml:"ca" doc:"File of the certificates (PEM) that the server's must come from. A relative path starts at the settings file's folder." def:"the machine's"`
	User     string        `yaml:"user" doc:"Name to log in with; empty: the server lets this machine in without."`
	Password string        `yaml:"password_file" doc:"File whose first line is the password. A relative path starts at the settings file's folder."`
	Timeout  time.Duration `yaml:"timeout" doc:"How long the server is waited for." min:"1s" max:"10m"`
}

// Address is the host and port of the server; an empty host when none is set.
func (m Mail) Address() (host string, port uint16, err error) {
	if m.Server == "" {
		return "", 0, nil
	}
	host, text, given := m.Server, "", false
	if i := strings.LastIndexByte(host, ':'); i >= 0 && (strings.Count(host, ":") == 1 || host[i-1] == ']') {
		host, text, given = host[:i], host[i+1:], true
	}
	port = map[string]uint16{"tls": 465, "none": 25}[m.TLS]
	if port == 0 {
		port = 587 // RFC 6409 §3.1
	}
	if given {
		if port, err = parsePort(text); err != nil {
			return "", 0, err
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return host, port, nil
	}
	_, err = checkDomain(host)
	return host, port, err
}

func (r *report) letters(l Letters) {
	for path, lines := range map[string][]string{"letters.heading": l.Heading, "letters.signature": l.Signature} {
		most := 5
		if path == "letters.signature" {
			most = 3
		}
		if len(lines) > most {
			r.key(path, "%d lines are too many: at most %d", len(lines), most)
		}
		for i, line := range lines {
			r.line(index(path, i), line, 200)
		}
	}
	if len(l.Reminders) > 5 {
		r.key("letters.reminders", "%d numbers are too many: at most 5", len(l.Reminders))
	}
	for i, days := range l.Reminders {
		if days < 1 || days > 365 {
			r.key(index("letters.reminders", i), "%d is not from 1 to 365", days)
		}
	}
	once(r, "letters.reminders", l.Reminders)
}

func (r *report) mail(m Mail) {
	r.path("mail.ca", m.CA)
	r.path("mail.password_file", m.Password)
	r.line("mail.user", m.User, 200)
	if m.From != "" {
		a, err := mail.ParseAddress(m.From)
		if err != nil || a.Name != "" || a.Address != m.From || strings.ContainsAny(m.From, "\" \t") {
			r.key("mail.from", "%s is not a mail address, such as ced@comune.example.it", quoteShort(m.From))
		}
	}
	if (m.User == "") != (m.Password == "") {
		r.key("mail.user", "expected both user and password_file, or neither")
	}
	if m.Server == "" {
		return
	}
	host, port, err := m.Address()
	switch {
	case err != nil:
		r.key("mail.server", "%s", err)
	case port == 0:
		r.key("mail.server", "port 0 is not a port of a server")
	}
	if m.From == "" {
		r.key("mail.from", "expected the address of the IT office, from which letters come, found nothing")
	}
	if a, err := netip.ParseAddr(host); m.TLS == "none" && m.User != "" && host != "localhost" && (err != nil || !a.IsLoopback()) {
		r.key("mail.tls", "with none, the password would cross the network in plain text: choose starttls or tls")
	}
	if m.TLS == "none" && m.CA != "" {
		r.key("mail.ca", "there is no certificate to be checked with tls: none")
	}
}
