//go:build e2e

package e2e

import (
	"net/netip"
	"os"
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

func TestItEndsWellOnSIGTERMAndSIGINT(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			d := demo(t)
			d.dig("127.10.1.5", "www.inps.it")
			if code, took := d.end(s); code != 0 || took > 2*time.Second {
				t.Errorf("exit code %d after %s; want 0 at once\n%s", code, took, d.log.String())
			}
			if !strings.Contains(d.log.String(), "head=") {
				t.Errorf("the log does not have the head of the journal:\n%s", d.log.String())
			}
			d.again("--demo")
		})
	}
}

// asked runs a question in the background and returns what becomes of it.
func asked(t *testing.T, d *daemon, from, name string) func() (*dns.Msg, error) {
	t.Helper()
	pkt, err := question(name, dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	var raw []byte
	var failed error
	var done sync.WaitGroup
	done.Go(func() { raw, failed = dnstest.ExchangeRaw("udp", d.addr.String(), from, pkt, patience) })
	return func() (*dns.Msg, error) {
		done.Wait()
		m := new(dns.Msg)
		if failed != nil {
			return nil, failed
		}
		return m, m.Unpack(raw)
	}
}

func TestAQuestionUnderWayIsAnsweredBeforeTheEnd(t *testing.T) {
	release := make(chan struct{})
	honest := dnstest.Records("www.comune-prova.it. 300 IN A 192.0.2.3")
	up := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		sends := honest(q)
		for i := range sends {
			sends[i] = sends[i].After(release)
		}
		return sends
	})
	d := manager(t, "--upstream", up.Addr.String())
	reply := asked(t, d, "127.20.0.1", "www.comune-prova.it")
	eventually(t, "the upstream is asked", func() bool { return up.Asked("www.comune-prova.it") > 0 })
	d.signal(syscall.SIGTERM)
	eventually(t, "it is stopping", func() bool { return strings.Contains(d.log.String(), "stopping") })
	close(release)
	m, err := reply()
	if err != nil || len(m.Answer) != 1 {
		t.Errorf("the question was not answered: %v\n%s", err, m)
	}
	<-d.done
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d\n%s", code, d.log.String())
	}
}

func TestADeadUpstreamDoesNotHoldUpTheEnd(t *testing.T) {
	up := dnstest.Start(t, func(dnstest.Query) []dnstest.Send { return nil })
	d := manager(t, "--upstream", up.Addr.String())
	reply := asked(t, d, "127.20.0.1", "www.comune-prova.it")
	eventually(t, "the upstream is asked", func() bool { return up.Asked("www.comune-prova.it") > 0 })
	d.stop() // exit code 0 within 5 s
	up.Close()
	if m, err := reply(); err == nil && m.Rcode != dns.RcodeServerFailure {
		t.Errorf("answered out of nothing:\n%s", m)
	}
}

func TestOnAllAddressesTheReplyComesFromTheOneAsked(t *testing.T) {
	d := serve(t, setup{args: []string{"--demo", "--listen", ":0"}})
	port := d.addr.Port()
	servers := []string{"127.0.0.1", "127.0.0.53", "127.10.1.200"}
	for _, c := range realClients {
		for _, server := range servers {
			at := netip.AddrPortFrom(netip.MustParseAddr(server), port)
			for _, tcp := range []bool{false, true} { // dig and kdig do not take a reply from another address
				if r := c.ask(t, "127.10.1.5", at, tcp, "www.inps.it"); r.first() != "192.0.2.10" {
					t.Errorf("%s at %s, tcp %v: %s", c.name, at, tcp, r.text)
				}
				if r := c.ask(t, "127.10.2.5", at, tcp, "www.inps.it"); r.first() != server {
					t.Errorf("%s at %s, tcp %v: the page is at %q; want the address asked\n%s", c.name, at, tcp, r.first(), r.text)
				}
			}
		}
	}
	if len(d.addrs) > 1 {
		if r := digClient.ask(t, "::1", netip.AddrPortFrom(netip.IPv6Loopback(), port), false, "www.inps.it"); r.status != "REFUSED" {
			t.Errorf("::1 is outside this site: %s", r.text)
		}
	}
}

func TestCommandsFindTheDaemonWithoutBeingTold(t *testing.T) {
	if _, err := os.Stat("/run/usciere/admin.sock"); err == nil {
		t.Skip("a packaged usciere runs on this machine")
	}
	for _, variable := range []string{"XDG_STATE_HOME", "STATE_DIRECTORY", "HOME"} {
		t.Run(variable, func(t *testing.T) {
			dir := t.TempDir()
			env := []string{"PATH=" + os.Getenv("PATH"), variable + "=" + dir}
			cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9")
			cmd.Env = env
			p := start(t, cmd)
			status := func() result {
				c := exec.Command(program, "status")
				c.Env = env
				return run(t, c)
			}
			eventually(t, "status finds it", func() bool {
				if p.ended() {
					t.Fatalf("it ended: %s", p.log.String())
				}
				return status().code == 0
			})
			where := map[string]string{"XDG_STATE_HOME": "usciere", "STATE_DIRECTORY": "", "HOME": ".local/state/usciere"}[variable]
			if out := status().out; !strings.Contains(out, filepath.Join(dir, where, "admin.sock")) {
				t.Errorf("status:\n%s", out)
			}
			if code, _ := p.end(syscall.SIGTERM); code != 0 {
				t.Errorf("exit code %d: %s", code, p.log.String())
			}
			if r := status(); r.code != 1 || !strings.Contains(r.err, "does not answer") || !strings.Contains(r.err, "is it running?") {
				t.Errorf("after its end: %s", r)
			}
		})
	}
}
