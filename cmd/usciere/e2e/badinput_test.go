//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// refused runs a command that must be refused in these words, with a hint and without a trace in the rules.
func refused(t *testing.T, d *daemon, code int, says []string, args ...string) {
	t.Helper()
	before, grants := d.head(), d.must("grant", "list", "--all", "-o", "json")
	r := d.usciere(args...)
	if r.code != code || !strings.HasPrefix(r.err, "error: ") || r.out != "" {
		t.Errorf("usciere %q: %s; want exit %d and an error alone", args, r, code)
	}
	for _, piece := range says {
		if !strings.Contains(r.err, piece) {
			t.Errorf("usciere %q: %s; want %q in it", args, r, piece)
		}
	}
	if strings.ContainsAny(r.err, "\x1b\x00\r") || len(r.err) > 1000 {
		t.Errorf("usciere %q: the error is raw or long: %q", args, r.err)
	}
	if after := d.head(); after != before {
		t.Errorf("usciere %q: the journal went from %s to %s", args, before, after)
	}
	if after := d.must("grant", "list", "--all", "-o", "json"); after != grants {
		t.Errorf("usciere %q: the grants changed", args)
	}
}

func TestABadCommandIsRefusedWithWhatToDoAndTheRulesStay(t *testing.T) {
	d := demo(t)
	paper := []string{"--protocol", "77/2026", "--reason", "prova"}
	allow := func(args ...string) []string { return append(append([]string{"allow"}, args...), paper...) }
	for _, tc := range []struct {
		name string
		code int
		says []string
		args []string
	}{
		{"a prefix that another office owns", 1, []string{"127.10.1.0/24 belongs to anagrafe", "usciere network remove"},
			[]string{"network", "add", "127.10.1.0/24", "--office", "cultura"}},
		{"a prefix with bits beyond its length", 1, []string{"write 127.10.1.0/24"}, []string{"network", "add", "127.10.1.5/24", "--office", "cultura"}},
		{"what is no prefix", 1, []string{"is no network", "10.20.1.0/24"}, []string{"network", "add", "300.1.1.0/24", "--office", "cultura"}},
		{"an unknown office", 1, []string{`there is no office "nessuno"`, "usciere office list"}, allow("www.a.it", "--office", "nessuno")},
		{"an office that is there already", 1, []string{"anagrafe is there already"}, []string{"office", "add", "anagrafe", "--name", "X", "--mailbox", "a@b.it"}},
		{"a malformed id", 1, []string{"is no id of an office"}, []string{"office", "add", "Ana grafe", "--name", "X", "--mailbox", "a@b.it"}},
		{"an office with grants", 1, []string{"tributi still has", "--all"}, []string{"office", "remove", "tributi"}},
		{"a public suffix", 1, []string{"*.gov.it is a public suffix", "usciere service list"}, allow("*.gov.it", "--office", "tributi")},
		{"a top-level domain", 1, []string{".it is a public suffix"}, allow(".it", "--office", "tributi")},
		{"a name with an empty label", 1, []string{"empty label"}, allow("www..it", "--office", "tributi")},
		{"a label of 64 octets", 1, []string{"64 octets", "63"}, allow(strings.Repeat("a", 64)+".it", "--office", "tributi")},
		{"a name of more than 255 octets", 1, []string{"255"}, allow(strings.Repeat("abcdefg.", 40)+"it", "--office", "tributi")},
		{"an address for a name", 1, []string{"is an address, not a name"}, allow("192.0.2.1", "--office", "tributi")},
		{"escape codes of a terminal", 1, []string{`\x1b`}, allow("www.a.it\x1b[31m", "--office", "tributi")},
		{"a page without a host", 1, []string{"is no address of a page"}, allow("http://[", "--office", "tributi")},
		{"an end in the past", 1, []string{"until 2020-01-01 is in the past"}, allow("www.a.it", "--office", "tributi", "--until", "2020-01-01")},
		{"an end that is no day", 2, []string{"domani", "2027-06-30"}, allow("www.a.it", "--office", "tributi", "--until", "domani")},
		{"a schedule that is none", 2, []string{"mai", "mon-fri 08:00-14:00"}, allow("www.a.it", "--office", "tributi", "--schedule", "mai")},
		{"an unknown record type", 1, []string{"BOGUS", "TYPE123"}, allow("www.a.it", "--office", "tributi", "--types", "BOGUS")},
		{"no protocol number", 1, []string{"protocol number is missing", "88/2026"}, []string{"allow", "www.a.it", "--office", "tributi", "--reason", "x"}},
		{"a malformed protocol number", 1, []string{`"1-2026"`, "88/2026"}, []string{"allow", "www.a.it", "--office", "tributi", "--reason", "x", "--protocol", "1-2026"}},
		{"no reasons", 1, []string{"without reasons", "--reason"}, []string{"allow", "www.a.it", "--office", "tributi", "--protocol", "77/2026"}},
		{"no subject", 1, []string{"exactly one of --office"}, allow("www.a.it")},
		{"no names", 1, []string{"0 addresses"}, allow("--office", "tributi")},
		{"a protocol number of another office", 1, []string{"already the request of anagrafe"},
			[]string{"allow", "www.a.it", "--office", "tributi", "--protocol", "12/2026", "--reason", "x"}},
		{"one bad name among good ones", 1, []string{"public suffix"}, allow("www.a.it", "www.b.it", ".com", "--office", "tributi")},
		{"a grant that is not there", 1, []string{"there is no grant g-999"}, []string{"grant", "revoke", "g-999"}},
		{"what is no grant", 1, []string{`"pippo" is no grant`}, []string{"grant", "revoke", "pippo"}},
		{"a seat that is not there", 1, []string{`there is no seat "nessuno"`}, []string{"seat", "assign", "nessuno", "--holder", "X", "--from", "2026-01-01"}},
		{"a host outside the site", 1, []string{"outside the site"}, []string{"host", "add", "8.8.8.8", "--name", "x"}},
		{"a change that was based on an old version", 1, []string{"changed meanwhile"}, []string{"office", "rename", "tributi", "--name", "T", "--if-version", "1"}},
		{"a backup over a file", 1, []string{"is there already", "--force"}, []string{"backup", "/dev/null"}},
		{"an unknown command", 2, []string{`unknown command "nessuno"`}, []string{"nessuno"}},
		{"an unknown flag", 2, []string{"--offic"}, []string{"allow", "www.a.it", "--offic", "tributi"}},
		{"an unknown output format", 2, []string{"table and json"}, []string{"status", "-o", "xml"}},
		{"a head that is none", 1, []string{"SEQ:HASH"}, []string{"journal", "verify", "--head", "zz"}},
		{"a socket where nothing is", 1, []string{"does not answer on /nowhere", "is it running?"}, []string{"status", "--socket", "/nowhere"}},
	} {
		t.Run(tc.name, func(t *testing.T) { refused(t, d, tc.code, tc.says, tc.args...) })
	}
	d.verify()
	d.dig("127.10.1.5", "www.inps.it")
}

func TestAllOfAChangeIsMadeOrNothing(t *testing.T) {
	d := demo(t)
	file := write(t, t.TempDir()+"/names", "www.uno.it  # il primo\n\n# un commento\nwww.due.it\n*.com\nwww.tre.it\n")
	refused(t, d, 1, []string{"*.com is a public suffix"}, "allow", "--from-file", file, "--office", "tributi", "--protocol", "78/2026", "--reason", "prova")
	write(t, file, "www.uno.it  # il primo\n\n# un commento\nwww.due.it\nhttps://www.tre.it/pagina?x=1\n")
	out := d.must("allow", "--from-file", file, "--office", "tributi", "--protocol", "78/2026", "--reason", "prova")
	if got := len(grantPattern.FindAllString(out, -1)); got != 3 || !strings.Contains(out, "using the host of the address: www.tre.it") {
		t.Errorf("%d grants; want 3 and a note on the address:\n%s", got, out)
	}
}
