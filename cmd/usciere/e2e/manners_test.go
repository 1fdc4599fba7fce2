//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usciere/policy/admin"
)

// asked runs a client program against the daemon and returns what it shows of the reply.
func (d *daemon) asked(program string, args ...string) reply {
	d.t.Helper()
	switch program {
	case "kdig", "dig":
		args = append([]string{"@" + d.addr.Addr().String(), "-p", portOf(d.addr), "-b", "127.10.2.9"}, args...)
	case "drill":
		args = append([]string{"-p", portOf(d.addr), "-I", "127.10.2.9"}, append(args, "@"+d.addr.Addr().String())...)
	}
	out, _ := exec.Command(program, args...).CombinedOutput() // drill fails for an error of the server
	return parseReply(d.t, string(out))
}

func TestS1ClientProgramsWithUnusualQueriesGetTheReplyOfRFC8906(t *testing.T) {
	var n tally
	d := demo(t)
	for _, r := range []struct{ program, args, status, flags, has, hasNot string }{
		{"dig", "+noedns +noad www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", "OPT PSEUDOSECTION"},
		{"dig", "+noedns +noad +zflag www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", "MBZ"},
		{"dig", "+noedns +noad +norec comune.demo.test SOA", "NOERROR", "qr aa ra", "SOA", "OPT PSEUDOSECTION"},
		{"dig", "+noedns +noad +norec comune.demo.test TYPE1000", "NOERROR", "qr aa ra", "AUTHORITY: 1", "ANSWER SECTION"},
		{"dig", "+noedns +norec +cd +ad comune.demo.test SOA", "NOERROR", "qr aa ra cd", "SOA", ""},
		{"dig", "+norec +noad www.inps.it", "REFUSED", "qr ra", "EDE: 20", "192.0.2.10"},
		{"dig", "+nocookie +edns=0 +ednsopt=100:dead www.inps.it", "NOERROR", "qr rd ra", "EDNS: version: 0", "OPT=100"},
		{"dig", "+nocookie +edns=0 +ednsflags=0x7fff www.inps.it", "NOERROR", "qr rd ra", "EDNS: version: 0, flags:; udp: 1232", "MBZ"},
		{"dig", "+nocookie +edns=1 +noednsneg www.inps.it", "BADVERS", "qr rd ra", "EDNS: version: 0", "192.0.2.10"},
		{"dig", "+nocookie +edns=1 +noednsneg +ednsopt=100 +ednsflags=0x40 www.inps.it", "BADVERS", "qr rd ra", "EDNS: version: 0", "MBZ"},
		{"dig", "+edns=1 +ednsnegotiation www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", ""},
		{"dig", "+dnssec +bufsize=512 www.inps.it", "NOERROR", "qr rd ra", "flags: do", ""},
		{"dig", "+cookie +nsid +expire +subnet=0.0.0.0/0 www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", "NSID"},
		{"dig", "+noedns +noad +opcode=15 +norec +header-only", "NOTIMP", "qr ra", "QUERY: 0", ""},
		{"dig", "+opcode=2 www.inps.it", "NOTIMP", "qr rd ra", "", "192.0.2.10"},
		{"dig", "+opcode=4 www.inps.it", "NOTIMP", "qr rd ra", "", "192.0.2.10"},
		{"dig", "+opcode=5 www.inps.it", "NOTIMP", "qr rd ra", "", "192.0.2.10"},
		{"dig", "+notcp www.inps.it ANY", "NOERROR", "qr rd ra", "RFC8482", ""},
		{"dig", "+tcp www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", ""},
		{"dig", "+noall +comments version.bind CH TXT", "REFUSED", "qr rd ra", "", "usciere"},
		{"dig", "+tcp inps.it AXFR +noall +comments +noidnout", "", "", "Transfer failed", ""},
		{"kdig", "+noedns www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", "EDNS PSEUDOSECTION"},
		{"kdig", "+edns=1 www.inps.it", "BADVERS", "qr rd ra", "Version: 0", "192.0.2.10"},
		{"kdig", "+ednsopt=65001:beef www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", "beef"},
		{"kdig", "+zflag +aaflag +tcflag www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", ""},
		{"kdig", "+tcp +keepopen www.inps.it www.anpr.interno.it", "NOERROR", "qr rd ra", "", ""},
		{"kdig", "+nsid www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", "NSID"},
		{"drill", "www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", ""},
		{"drill", "-o rd www.inps.it", "REFUSED", "qr ra", "", "192.0.2.10"},
		{"drill", "-D www.inps.it", "NOERROR", "qr rd ra", "192.0.2.10", ""},
		{"drill", "-t www.inps.it TYPE1000", "NOERROR", "qr rd ra", "", "192.0.2.10"},
	} {
		n.run(t, r.program+" "+r.args, func(t *testing.T) {
			if r.status == "" { // a transfer has no reply to show
				out, _ := exec.Command(r.program, append([]string{"@" + d.addr.Addr().String(), "-p", portOf(d.addr)}, strings.Fields(r.args)...)...).CombinedOutput()
				if !strings.Contains(string(out), r.has) {
					t.Errorf("no %q in\n%s", r.has, out)
				}
				return
			}
			got := d.asked(r.program, strings.Fields(r.args)...)
			if got.status != r.status || !slices.Equal(got.flags, strings.Fields(r.flags)) {
				t.Errorf("%s with flags %q, want %s with %q\n%s", got.status, got.flags, r.status, r.flags, got.text)
			}
			if !strings.Contains(got.text, r.has) || r.hasNot != "" && strings.Contains(got.text, r.hasNot) {
				t.Errorf("want %q and not %q in\n%s", r.has, r.hasNot, got.text)
			}
		})
	}
	none(t, "replies to unusual queries that RFC 8906 forbids", n.wrong, n.all)
}

func TestTheServerTellsWhoItIsWhenTheSettingsSaySo(t *testing.T) {
	dir := t.TempDir()
	config := write(t, filepath.Join(dir, "usciere.yaml"), `listen: ["127.0.0.1:0"]
town: {site: [127.10.0.0/16]}
identity: {nsid: dns-1, version: true}
`)
	d := serve(t, setup{args: []string{"--demo", "--config", config}})
	for _, r := range []struct{ program, args, has string }{
		{"dig", "+nsid www.inps.it", `("dns-1")`},
		{"kdig", "+nsid www.inps.it", `"dns-1"`},
		{"dig", "id.server CH TXT", `"dns-1"`},
		{"dig", "hostname.bind CH TXT", `"dns-1"`},
		{"dig", "version.bind CH TXT", `"usciere `},
		{"drill", "version.server CH TXT", `"usciere `},
	} {
		if got := d.asked(r.program, strings.Fields(r.args)...); got.status != "NOERROR" || !strings.Contains(got.text, r.has) {
			t.Errorf("%s %s: want %q in\n%s", r.program, r.args, r.has, got.text)
		}
	}
}

func TestS3NmapsFuzzerDoesNoHarm(t *testing.T) {
	asRoot(t) // it scans UDP, which takes raw sockets
	d := demo(t)
	var before, after admin.Status
	if code, err := d.try("GET", "/v1/status", nil, &before); err != nil || code != 200 {
		t.Fatal(code, err)
	}
	// The plus runs the script on a port that is not 53.
	r := run(t, exec.Command("nmap", "-Pn", "-n", "-sU", "--script", "+dns-fuzz", "--script-args", "dns-fuzz.timelimit=10s", "-p", portOf(d.addr), d.addr.Addr().String()))
	if r.code != 0 || !strings.Contains(r.out, "The server seems impervious to our assault") {
		t.Errorf("nmap: %s", r)
	}
	if code, err := d.try("GET", "/v1/status", nil, &after); err != nil || code != 200 {
		t.Fatal(code, err)
	}
	if got := d.asked("dig", "www.inps.it"); got.first() != "192.0.2.10" {
		t.Errorf("afterwards: %s", got.text)
	}
	n, m := after.Counters, before.Counters
	t.Logf("%d malformed, %d dropped, %d refused, %d sinkholed, %d replies\n%s",
		n.Malformed-m.Malformed, n.Dropped-m.Dropped, n.Refused-m.Refused, n.Sinkholed-m.Sinkholed, n.Replies-m.Replies, r.out)
}

func TestAChangedSecurityListIsTakenOverAtSIGHUP(t *testing.T) { // R9
	dir := t.TempDir()
	list := write(t, filepath.Join(dir, "evil.txt"), "www.example.net\n")
	config := write(t, filepath.Join(dir, "usciere.yaml"), "listen: [\"127.0.0.1:0\"]\ntown: {site: [127.10.0.0/16]}\nsecurity: {files: [evil.txt], mode: refused}\n")
	d := serve(t, setup{args: []string{"--demo", "--config", config}})
	want := func(when, status string) {
		t.Helper()
		eventually(t, when+" the manager is told "+status, func() bool { return d.asked("dig", "www.inps.it").status == status })
	}
	want("at first", "NOERROR")
	write(t, list, ".inps.it\n")
	d.reload("security list read", "settings read again")
	want("when it is listed,", "REFUSED")
	if got := d.asked("dig", "www.inps.it"); !got.explains("15", "nome nell'elenco di sicurezza evil.txt") {
		t.Errorf("told %q", got.ede)
	}
	if out := d.must("security", "list"); !strings.Contains(out, "evil.txt") {
		t.Errorf("usciere security list: %s", out)
	}
	write(t, list, "<html>\n<body>\n")
	d.reload("a security list cannot be read")
	want("when the file is no list,", "REFUSED")
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	d.reload("no such file")
	want("when the file is gone,", "REFUSED")
	write(t, config, "listen: [\"127.0.0.1:0\"]\ntown: {site: [127.10.0.0/16]}\n")
	d.reload("settings read again", "security.files")
	want("without lists", "NOERROR")
}
