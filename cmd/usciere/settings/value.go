package settings

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Size is a number of octets.
type Size int64

// The units of a Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

var sizeUnits = []struct {
	name string
	unit Size
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}}

// parseSize reads a whole number with its unit, such as 64MiB.
func parseSize(text string) (Size, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err != nil || n > uint64(math.MaxInt64/u.unit) {
			break
		}
		return Size(n) * u.unit, nil
	}
	return 0, fmt.Errorf("%q is not a size: write a whole number with KiB, MiB or GiB, such as 64MiB", text)
}

// String is the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.unit == 0 {
			return strconv.FormatInt(int64(s/u.unit), 10) + u.name
		}
	}
	if s == 0 {
		return "0KiB"
	}
	return strconv.FormatInt(int64(s), 10)
}

// ParseServer reads the address of a DNS server, with or without a port (53
// when there is none): 10.0.0.53, 10.0.0.53:5353, [2001:db8::53]:5353,
// fe80::1%eth0. A host name is an error: it would have to be resolved first.
func ParseServer(text string) (netip.AddrPort, error) {
	addr, port, err := splitServer(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch {
	case port == 0:
		return netip.AddrPort{}, fmt.Errorf("%q: port 0 is not a port of a server", text)
	case addr.IsUnspecified(), addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.AddrPort{}, fmt.Errorf("%q is not the address of one server", text)
	}
	return netip.AddrPortFrom(addr, port), nil
}

func splitServer(text string) (netip.Addr, uint16, error) {
	host, portText := text, "53"
	inner, bracketed := strings.CutPrefix(text, "[")
	if bracketed {
		address, rest, _ := strings.Cut(inner, "]")
		host = address
		if port, given := strings.CutPrefix(rest, ":"); given {
			portText = port
		} else if host+"]" != inner {
			host = text // no bracket at the end, or something behind it
		}
	} else if strings.Count(text, ":") == 1 {
		host, portText, _ = strings.Cut(text, ":")
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || bracketed && addr.Is4() || strings.ContainsAny(addr.Zone(), "[]") {
		return netip.Addr{}, 0, fmt.Errorf("%q is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name", text)
	}
	port, err := parsePort(portText)
	if err != nil {
		return netip.Addr{}, 0, fmt.Errorf("%q: %w", text, err)
	}
	return addr.Unmap(), port, nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("port %q is not a number from 0 to 65535", text)
	}
	return uint16(port), nil
}

// ParseListen checks an address to listen on, address:port or :port (all
// addresses of the machine; port 0 lets the kernel choose), and returns it in
// its usual form.
func ParseListen(text string) (string, error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("%q has no port: write address:port or :port, such as 127.0.0.1:53, [::1]:53 or :53", text)
	}
	port, err := parsePort(portText)
	if err != nil {
		return "", fmt.Errorf("%q: %w", text, err)
	}
	if host != "" {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.IsMulticast() {
			return "", fmt.Errorf("%q is not address:port: give an address of this machine, not a name", text)
		}
		host = addr.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf("%q has no prefix length: for that address alone write %s/%d", text, addr, addr.BitLen())
		}
		return netip.Prefix{}, fmt.Errorf("%q is not a prefix: write address/length, such as 10.20.0.0/16", text)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4-mapped prefix: write it as IPv4", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits set beyond its length: write %s", text, p.Masked())
	}
	return p, nil
}

func parseAddr(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an address: write an IPv4 or IPv6 address", text)
	}
	return addr.Unmap(), nil
}

func parseDuration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && (d != 0 || strings.ContainsAny(text, "smh")) {
		return d, nil
	}
	if _, err := strconv.ParseUint(text, 10, 63); err == nil {
		return 0, fmt.Errorf("%q has no unit: for seconds write %ss", text, text)
	}
	return 0, fmt.Errorf("%q is not a duration: write a number with its unit, such as 300s, 5m or 1.2s", text)
}

func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func parseText(text string) (string, error) { return text, nil }

// kind is a type of single values: what the reference calls it, and its parser.
type kind struct {
	one, many string
	parse     func(string) (any, error)
}

// kinds holds every type a value of the file may have, beside mappings and lists.
var kinds = map[reflect.Type]kind{
	reflect.TypeFor[string]():         {"text", "texts", anyOf(parseText)},
	reflect.TypeFor[bool]():           {"true or false", "", anyOf(parseBool)},
	reflect.TypeFor[int]():            {"number", "numbers", anyOf(parseInt)},
	reflect.TypeFor[time.Duration]():  {"duration", "durations", anyOf(parseDuration)},
	reflect.TypeFor[Size]():           {"size", "sizes", anyOf(parseSize)},
	reflect.TypeFor[Date]():           {"date", "dates", anyOf(parseDate)},
	reflect.TypeFor[netip.Prefix]():   {"prefix", "prefixes", anyOf(parsePrefix)},
	reflect.TypeFor[netip.Addr]():     {"address", "addresses", anyOf(parseAddr)},
	reflect.TypeFor[netip.AddrPort](): {"server", "servers", anyOf(ParseServer)},
}

func anyOf[T any](parse func(string) (T, error)) func(string) (any, error) {
	return func(text string) (any, error) { return parse(text) }
}
