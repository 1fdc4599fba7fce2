package policy

import (
	"net"
	"strings"
)

// Device is a workstation of a seat that is known by itself instead of by its address: wherever it has a lease, it is the seat's.
type Device struct {
	ID   DeviceID `json:"id"`
	Name string   `json:"name,omitempty"` // for people
}

// DeviceID is a hardware address (MAC, six octets in hexadecimal with colons) or the host name that a machine gives the DHCP server,
// without its domain. Both are what the machine says of itself; a name is the weaker of the two.
type DeviceID string

// ParseDevice reads a hardware address in any of its usual forms, or a host name.
func ParseDevice(text string) (DeviceID, error) {
	if mac, err := net.ParseMAC(bare(text)); err == nil {
		return DeviceOf(mac)
	}
	name := strings.ToLower(text)
	for label := range strings.SplitSeq(name, ".") {
		if !isHostLabel(label) {
			return "", invalid("write a hardware address such as 52:54:00:12:34:56, or the name that the machine gives the DHCP server",
				"%q is neither a hardware address nor a host name", shorten(text))
		}
	}
	if strings.Contains(name, ".") {
		return "", invalid("write "+name[:strings.IndexByte(name, '.')], "%q has a domain, which leases do not have", shorten(text))
	}
	return DeviceID(name), nil
}

// bare puts colons into twelve hexadecimal digits without any, as ip and Windows tools print them now and then.
func bare(text string) string {
	if len(text) != 12 || strings.Trim(strings.ToLower(text), "0123456789abcdef") != "" {
		return text
	}
	var pairs []string
	for i := 0; i < len(text); i += 2 {
		pairs = append(pairs, text[i:i+2])
	}
	return strings.Join(pairs, ":")
}

// isHostLabel says whether a text in lower case is a label of letters, digits and inner hyphens (RFC 1123 §2.1); underscores, which
// Windows lets pass, are let pass.
func isHostLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// DeviceOf is the id of a hardware address; only those of six octets that are one machine's are one.
func DeviceOf(mac net.HardwareAddr) (DeviceID, error) {
	switch {
	case len(mac) != 6:
		return "", invalid("", "a hardware address of %d octets is none of a network card", len(mac))
	case mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00":
		return "", invalid("look it up on the machine itself", "%s is the hardware address of no single machine", mac)
	}
	return DeviceID(mac.String()), nil
}

// UnmarshalText reads an id.
func (d *DeviceID) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDevice(string(text))
	return err
}

func (d DeviceID) String() string { return string(d) }

// IsMAC says whether the id is a hardware address.
func (d DeviceID) IsMAC() bool { return strings.Contains(string(d), ":") }
