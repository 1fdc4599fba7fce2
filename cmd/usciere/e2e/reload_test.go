//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// reload sends SIGHUP, waits until the log has these pieces, and returns what it says of the reload.
func (d *daemon) reload(pieces ...string) string {
	d.t.Helper()
	before := len(d.log.String())
	d.signal(syscall.SIGHUP)
	said := ""
	eventually(d.t, fmt.Sprintf("after SIGHUP the log has %q", pieces), func() bool {
		said = d.log.String()[before:]
		for _, piece := range pieces {
			if !strings.Contains(said, piece) {
				return false
			}
		}
		return true
	})
	return said
}

func TestSIGHUPTakesOverWhatCanChangeAndSaysWhatCannot(t *testing.T) {
	one := dnstest.Start(t, dnstest.Records("www.comune-prova.it. 300 IN A 192.0.2.1"))
	two := dnstest.Start(t, dnstest.Records("www.comune-prova.it. 300 IN A 192.0.2.2"))
	dir := t.TempDir()
	settings := func(listen, upstream, mode, extra string) string {
		return fmt.Sprintf("listen: [%q]\nstate: state\nupstream: {servers: [%q]}\nsinkhole: {mode: %s}\nzones: [{name: intranet.test, file: intranet.zone}]\n%s",
			listen, upstream, mode, extra)
	}
	zone := func(address string) { write(t, dir+"/intranet.zone", "@ A 192.0.2.200\nwww A "+address+"\n") }
	config := filepath.Join(dir, "usciere.yaml")
	zone("192.0.2.201")
	write(t, config, settings("127.0.0.1:0", one.Addr.String(), "page", ""))
	d := serve(t, setup{args: []string{"--config", config}, state: dir + "/state"})
	d.must("office", "add", "segreteria", "--name", "Segreteria", "--mailbox", "s@comune.it", "--network", "127.20.0.0/24")
	d.must("seat", "add", "dirigente", "--office", "segreteria", "--holder", "M. Rossi", "--from", "2026-01-01", "--host", "127.20.0.1")
	expect := func(when, intranet, outside, blocked string) {
		t.Helper()
		for _, q := range []struct{ from, name, want string }{
			{"127.20.0.9", "www.intranet.test", intranet}, {"127.20.0.1", "www.comune-prova.it", outside},
		} {
			if r := d.dig(q.from, q.name); r.first() != q.want {
				t.Errorf("%s: %s is %s %q; want %s", when, q.name, r.status, r.answer, q.want)
			}
		}
		if r := d.dig("127.20.0.9", "www.comune-prova.it"); r.status != blocked {
			t.Errorf("%s: a sinkholed name is %s; want %s", when, r.status, blocked)
		}
	}
	expect("at the start", "192.0.2.201", "192.0.2.1", "NOERROR")

	zone("192.0.2.202")
	write(t, config, settings("127.0.0.1:0", two.Addr.String(), "nxdomain", ""))
	if said := d.reload("settings read again", "upstream.servers", "sinkhole.mode"); strings.Contains(said, "ERROR") || strings.Contains(said, "restart") {
		t.Errorf("the log says:\n%s", said)
	}
	expect("after a reload", "192.0.2.202", "192.0.2.2", "NXDOMAIN")

	for what, bad := range map[string]string{
		"an unknown key":              settings("127.0.0.1:0", one.Addr.String(), "page", "sinkole: {}\n"),
		"an upstream that is itself":  settings("127.0.0.1:0", d.addr.String(), "page", ""),
		"a zone file that is missing": strings.Replace(settings("127.0.0.1:0", one.Addr.String(), "page", ""), "intranet.zone", "altro.zone", 1),
	} {
		write(t, config, bad)
		d.reload("ERROR", "the old ones stay")
		expect("after a reload with "+what, "192.0.2.202", "192.0.2.2", "NXDOMAIN")
	}

	write(t, config, settings("127.0.0.1:5999", two.Addr.String(), "nxdomain", "tcp: {per_client: 9}\n"))
	d.reload("restart", "listen", "tcp.per_client")
	expect("after a reload that takes a restart", "192.0.2.202", "192.0.2.2", "NXDOMAIN")
	d.stop()
}

func TestS17NoQueryIsLostWhileSettingsAndRulesChange(t *testing.T) {
	dnsperf := tool(t, "dnsperf")
	dir := t.TempDir()
	up := dnstest.Start(t, dnstest.Records("www.inps.it. 300 IN A 192.0.2.10"))
	config := write(t, dir+"/usciere.yaml", fmt.Sprintf("listen: [\"127.0.0.1:0\"]\nstate: state\nupstream: {servers: [%q]}\n", up.Addr))
	d := serve(t, setup{args: []string{"--config", config}, state: dir + "/state"})
	d.must("office", "add", "anagrafe", "--name", "Anagrafe", "--mailbox", "a@comune.it", "--network", "127.20.1.0/24")
	d.must("seat", "add", "dirigente", "--office", "anagrafe", "--holder", "M. Rossi", "--from", "2026-01-01")
	d.allow("anagrafe", "1/2026", "www.inps.it")
	queries := write(t, dir+"/queries", "www.inps.it A\nlocalhost A\n")
	cmd := exec.Command(dnsperf, "-s", "127.0.0.1", "-p", portOf(d.addr), "-a", "127.20.1.5", "-d", queries, "-l", "3", "-T", "1", "-Q", "5000")
	var out []byte
	var err error
	var done sync.WaitGroup
	done.Go(func() { out, err = cmd.CombinedOutput() })
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	reload := time.NewTicker(100 * time.Millisecond)
	defer reload.Stop()
	reloads, changes := 0, 0
	for running := true; running; {
		select {
		case <-finished:
			running = false
		case <-reload.C:
			d.signal(syscall.SIGHUP)
			reloads++
		default:
			d.revoke(d.allow("anagrafe", fmt.Sprintf("%d/2026", 100+changes), "www.example.org"))
			changes++
		}
	}
	if err != nil {
		t.Fatalf("dnsperf: %v\n%s", err, out)
	}
	sent, lost := firstNumber(sentPattern, out), firstNumber(lostPattern, out)
	if codes := codePattern.FindAllStringSubmatch(string(out), -1); len(codes) != 1 || codes[0][1] != dns.RcodeToString[dns.RcodeSuccess] {
		t.Errorf("with %d reloads and %d changes:\n%s", reloads, changes, out)
	}
	none(t, fmt.Sprintf("lost while settings are reloaded %d and rules changed %d times", reloads, changes), lost, sent)
	if reloads < 10 || changes < 10 || sent < 1000 {
		t.Errorf("%d reloads, %d changes, %d queries: this shows little", reloads, changes, sent)
	}
}
