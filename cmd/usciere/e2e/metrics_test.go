//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// measured starts a demo town that shows figures, and returns where.
func measured(t *testing.T) (d *daemon, url string) {
	t.Helper()
	folder := t.TempDir()
	config := write(t, filepath.Join(folder, "usciere.yaml"), `
listen: ["127.0.0.1:0"]
town: {site: [127.10.0.0/16, 127.0.0.1/32]}
portal: {enabled: false}
metrics: {listen: ["127.0.0.1:0"]}
`)
	d = serve(t, setup{args: []string{"--demo", "--config", config}})
	where := d.status().Daemon.Metrics
	if len(where) != 1 {
		t.Fatalf("figures are shown at %q", where)
	}
	return d, where[0]
}

func fetched(t *testing.T, url string) (status int, text string) {
	t.Helper()
	res, err := (&http.Client{Timeout: patience}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestFiguresCountWhatOfficesAsked(t *testing.T) {
	d, url := measured(t)
	for range 3 {
		d.ask("127.10.1.5", "www.inps.it", dns.TypeA)
		d.ask("127.10.2.5", "www.inps.it", dns.TypeA)
		d.ask("127.10.2.9", "www.example.com", dns.TypeA)
		d.ask("127.10.99.5", "www.inps.it", dns.TypeA)
		d.ask("127.10.1.5", "localhost", dns.TypeA)
		d.ask("127.99.0.1", "www.inps.it", dns.TypeA)
	}
	status, text := fetched(t, url)
	for _, line := range []string{
		`usciere_office_queries_total{office="anagrafe",verdict="allowed"} 3`, `usciere_office_queries_total{office="anagrafe",verdict="local"} 3`,
		`usciere_office_queries_total{office="tributi",verdict="sinkholed"} 3`, `usciere_office_queries_total{office="tributi",verdict="allowed"} 3`,
		`usciere_office_queries_total{office="",verdict="sinkholed"} 3`, `usciere_outcomes_total{outcome="refused"} 3`,
		`usciere_queries_total{transport="udp"} 18`, `usciere_wait_seconds_count 2`, `usciere_wait_seconds_bucket{le="5"} 2`, `usciere_rules{kind="offices"} 5`, `usciere_upstream_up{group="upstream",server="`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
	if status != 200 || t.Failed() {
		t.Errorf("%d\n%s", status, text)
	}
	for _, never := range []string{"inps", "127.10.1.5", "127.99"} { // by office and verdict, never by name or client
		if strings.Contains(text, never) {
			t.Errorf("%s is in the figures", never)
		}
	}
	if status, _ := fetched(t, strings.Replace(url, "/metrics", "/debug/pprof/", 1)); status != 404 {
		t.Errorf("profiles are shown: %d", status)
	}
}

func TestBalancersSeeWhetherItAnswers(t *testing.T) {
	d, url := measured(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, text := fetched(t, strings.Replace(url, "/metrics", path, 1)); status != 200 || text != "ok\n" {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
	d.stop()
	if conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")); err == nil {
		conn.Close()
		t.Error("it is still there after the end")
	}
}

// Whoever holds the door of the figures holds up nobody's questions, nor who comes for figures, and is shown out.
func TestSlowReadersOfFiguresHarmNobody(t *testing.T) {
	d, url := measured(t)
	at := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")
	var all sync.WaitGroup
	for i := range 100 {
		dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 7, byte(1+i/5))}}
		conn, err := dialer.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /metrics HTTP/1.1\r\nHost: x%d\r\n", i) // and no end
		all.Go(func() {
			defer conn.Close()
			conn.SetReadDeadline(time.Now().Add(3 * patience))
			_, _ = io.Copy(io.Discard, conn)
		})
	}
	for range 20 {
		if status, _ := fetched(t, url); status != 200 {
			t.Errorf("the figures: %d", status)
		}
		if status, _ := fetched(t, strings.Replace(url, "/metrics", "/readyz", 1)); status != 200 {
			t.Errorf("whether it is ready: %d", status)
		}
		if m := d.ask("127.10.1.5", "www.inps.it", dns.TypeA); len(m.Answer) == 0 {
			t.Fatal("a question was not answered")
		}
	}
	all.Wait()
	_, text := fetched(t, url)
	for limit, least := range map[string]int{"figures": 84, "page": 0, "socket": 0, "upstream": 0} { // of 100, 16 have a place
		var n int
		_, rest, _ := strings.Cut(text, fmt.Sprintf("usciere_limits_total{limit=%q} ", limit))
		if _, err := fmt.Sscan(rest, &n); err != nil || n < least {
			t.Errorf("%s: %d were cut, %v", limit, n, err)
		}
	}
	d.signal(syscall.SIGTERM)
	<-d.done
}
