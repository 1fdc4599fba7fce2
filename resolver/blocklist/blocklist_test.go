package blocklist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire is a name in canonical wire form.
func wire(t testing.TB, text string) []byte {
	t.Helper()
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(strings.ToLower(dns.Fqdn(text)), buf, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func parse(t testing.TB, text string, f Format) *List {
	t.Helper()
	l, err := Parse(strings.NewReader(text), "list", f, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// said is what a list says of names: "blocked", "whole" when all below is as well, "exempt", or nothing.
func said(t testing.TB, l *List, name string) string {
	t.Helper()
	switch v, whole := l.table.judge(wire(t, name)); {
	case whole:
		return "whole"
	case v == block:
		return "blocked"
	case v == pass:
		return "exempt"
	}
	return ""
}

func TestAListBlocksWhatItsFormatSays(t *testing.T) {
	const hosts = "# comment\n127.0.0.1 localhost\n::1 ip6-localhost\n0.0.0.0 0.0.0.0\n\n0.0.0.0 evil.example\t# why\n::  two.example Three.EXAMPLE.\r\n192.0.2.1 nas.example\n"
	const domains = "! Title\n[Adblock]\nevil.example\n*.below.example\n.all.example.\n||Ad.example^\n@@||good.ad.example^\nzip-less_name.example # c\n"
	const zone = `$TTL 60
@ IN SOA localhost. root.localhost. ( 1 3600 600 86400
   60 )
  IN NS localhost.
evil.example CNAME .
*.evil.example CNAME .
good.evil.example CNAME rpz-passthru.
nodata.example CNAME *.
*.drop.example CNAME rpz-drop.
24.0.2.0.192.rpz-ip CNAME .
ns.evil.example.rpz-nsdname CNAME .
tcp.example CNAME rpz-tcp-only.
garden.example CNAME safe.example.
addr.example A 192.0.2.1
* CNAME .
`
	const named = "$ORIGIN rpz.example.net.\n@ 60 IN SOA a. b. 1 2 3 4 5\nevil.example 60 CNAME .\nother.example. 60 CNAME .\n"
	for _, r := range []struct {
		name, text    string
		format        Format
		want          Format
		names, exempt int
		skipped       int
		says          map[string]string
	}{
		{"a hosts file blocks exactly its names, and never the machine's own", hosts, Auto, Hosts, 3, 0, 4, map[string]string{
			"evil.example": "blocked", "www.evil.example": "", "two.example": "blocked", "three.example": "blocked",
			"localhost": "", "nas.example": "", "example": "", ".": "",
		}},
		{"a domain list blocks as its signs say", domains, Auto, Domains, 5, 1, 0, map[string]string{
			"evil.example": "blocked", "www.evil.example": "",
			"below.example": "", "a.below.example": "whole", "b.a.below.example": "whole",
			"all.example": "whole", "a.all.example": "whole", "ball.example": "",
			"ad.example": "blocked", "a.ad.example": "whole", "good.ad.example": "exempt", "a.good.ad.example": "exempt",
			"zip-less_name.example": "blocked",
		}},
		{"a policy zone blocks by its QNAME triggers", zone, Auto, RPZ, 3, 1, 6, map[string]string{
			"evil.example": "blocked", "www.evil.example": "whole", "good.evil.example": "exempt", "a.good.evil.example": "whole",
			"nodata.example": "blocked", "drop.example": "", "a.drop.example": "whole", "tcp.example": "", "garden.example": "", "addr.example": "",
			"other.example": "",
		}},
		{"the owners of a policy zone are relative to its origin", named, Auto, RPZ, 1, 0, 1, map[string]string{
			"evil.example": "blocked", "evil.example.rpz.example.net": "", "other.example": "",
		}},
		{"a format that is said is not guessed", "0.0.0.0 a.example\nb.example\nc.example\n", Domains, Domains, 2, 0, 1, map[string]string{
			"a.example": "", "b.example": "blocked",
		}},
		{"a mark at the beginning and a last line without an end are read", "\uFEFFa.example\nb.example", Auto, Domains, 2, 0, 0, map[string]string{
			"a.example": "blocked", "b.example": "blocked",
		}},
		{"what is named twice counts once", "a.example\nA.EXAMPLE\n.a.example\n", Auto, Domains, 1, 0, 0, map[string]string{"a.example": "whole"}},
		{"a line that is too long is passed over", "a.example\n" + strings.Repeat("x", 3*maxLine) + "\n#" + strings.Repeat(" c", 3*maxLine) + "\nb.example\n", Auto, Domains, 2, 0, 1, map[string]string{
			"b.example": "blocked",
		}},
		{"an exception for a name spares those below a block no further than it says", "||a.example^\n@@||b.a.example^\n.c.b.a.example\n", Auto, Domains, 2, 1, 0, map[string]string{
			"a.example": "blocked", "x.a.example": "whole", "b.a.example": "exempt", "x.b.a.example": "exempt", "c.b.a.example": "whole",
		}},
	} {
		t.Run(r.name, func(t *testing.T) {
			l := parse(t, r.text, r.format)
			if l.Format != r.want || l.Names != r.names || l.Exceptions != r.exempt || l.Skipped != r.skipped {
				t.Errorf("%s, %d names, %d exceptions, %d skipped; want %s, %d, %d, %d",
					l.Format, l.Names, l.Exceptions, l.Skipped, r.want, r.names, r.exempt, r.skipped)
			}
			for name, want := range r.says {
				if got := said(t, l, name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestWhatIsNoListIsRefusedWithWhatToDo(t *testing.T) {
	long := new(strings.Builder)
	for i := range 1001 {
		fmt.Fprintf(long, "n%d.example\n", i)
	}
	for _, r := range []struct {
		name, text string
		format     Format
		is         error
		says       string
	}{
		{"an empty file", "", Auto, ErrNoList, "take the file out of security.files"},
		{"a file of comments", "# a\n! b\n", Auto, ErrNoList, "no name"},
		{"a login page in its place", "<!DOCTYPE html>\n<html>\n<body>login</body>\n</html>\n", Auto, ErrNoList, "line 1 the first: is its format domains?"},
		{"a hosts file said to be domains", "0.0.0.0 a.example\n0.0.0.0 b.example\n", Domains, ErrNoList, "see security.format"},
		{"more names than there is room for", long.String(), Auto, ErrTooMany, "5000000"},
		{"a policy zone that breaks off", "$TTL 60\na.example CNAME .\nb.example CNA", Auto, nil, "line: 3"},
		{"a policy zone that includes another file", "$INCLUDE /etc/passwd\n", Auto, nil, "$INCLUDE"},
		{"a policy zone that repeats itself", "$GENERATE 1-9999 a 60 CNAME .\n", RPZ, ErrTooMany, "records"},
	} {
		l, err := Parse(strings.NewReader(r.text), "evil.txt", r.format, 1000)
		if err == nil || r.is != nil && !errors.Is(err, r.is) || !strings.HasPrefix(err.Error(), "evil.txt: ") || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v, %v; want %v saying %q", r.name, l, err, r.is, r.says)
		}
	}
}

func TestNamesThatAreNoneAreNotRead(t *testing.T) {
	var d reader
	label := strings.Repeat("a", 63)
	for text, ok := range map[string]bool{
		"a": true, "a.b": true, "a.b.": true, label + ".b": true, strings.Join([]string{label, label, label, label[:61]}, "."): true,
		"": false, ".": false, "a..b": false, "..": false, ".a": false, label + "a.b": false, strings.Join([]string{label, label, label, label[:62]}, "."): false,
		"a b": false, "a/b": false, "à.b": false, "*": false, "a*.b": false, `a\046b`: false, "a:53": false, "\x00": false,
	} {
		name, got := d.name([]byte(text))
		if got != ok || ok && !slices.Equal(name, wire(t, text)) {
			t.Errorf("%q: %q, %v", text, name, got)
		}
	}
}

func BenchmarkFindInAMillionNames(b *testing.B) {
	names := builder{limit: MaxNames}
	var d reader
	for i := range 1_000_000 {
		name, _ := d.name(fmt.Appendf(nil, "host%d.sub%d.example", i, i%1000))
		if err := names.add(name, blockSelf); err != nil {
			b.Fatal(err)
		}
	}
	table, err := names.table()
	if err != nil {
		b.Fatal(err)
	}
	asked := wire(b, "www.host77.sub77.example")
	b.ReportAllocs()
	for b.Loop() {
		table.judge(asked)
	}
}
