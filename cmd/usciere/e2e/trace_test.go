//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// whatWasKept is a daemon's trace as dnstap-read and kdig read it, which shows the replies alone.
func whatWasKept(t *testing.T, d *daemon, file string) string {
	t.Helper()
	d.must("trace", "show", "--dnstap", file, "--force")
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	lines, err := exec.CommandContext(ctx, "dnstap-read", file).CombinedOutput()
	if err != nil {
		t.Fatalf("dnstap-read: %v\n%s", err, lines)
	}
	if out, err := exec.CommandContext(ctx, "kdig", "-G", file).CombinedOutput(); err != nil || 2*strings.Count(string(out), "QUESTION SECTION") != bytes.Count(lines, []byte("\n")) {
		t.Errorf("kdig reads something else than dnstap-read: %v\n%s\n%s", err, out, lines)
	}
	return string(lines)
}

// Who is traced is seen by those who may, until it is over; nobody else is, and of neither anything is on the disk.
func TestATraceKeepsWhatItIsForAndThenNothing(t *testing.T) {
	d := demo(t)
	file := filepath.Join(t.TempDir(), "trace.dnstap")
	d.ask("127.10.2.7", "prima.it", dns.TypeA)
	says(t, d.must("trace", "start", "--office", "tributi", "--minutes", "5", "--purpose", "il portale non si apre"), "trace tributi by", "il portale non si apre")
	for range 4 { // fetched, found, remembered
		d.ask("127.10.2.7", "www.agenziaentrate.gov.it", dns.TypeA)
		d.ask("127.10.2.8", "www.facebook.com", dns.TypeA)
		d.ask("127.10.1.7", "www.inps.it", dns.TypeA) // of another office
		d.ask("127.0.0.9", "www.inps.it", dns.TypeA)  // of none
	}
	out := d.must("trace", "show")
	says(t, out, "127.10.2.7 udp allowed NOERROR", "A www.agenziaentrate.gov.it.", "127.10.2.8 udp sinkholed NOERROR", "A www.facebook.com. A 127.0.0.1")
	if strings.Count(out, "allowed    NOERROR") != 4 || strings.Count(out, "sinkholed  NOERROR") != 4 || strings.Count(out, "\n") != 9 || strings.Contains(out, "prima.it") || strings.Contains(out, "inps") {
		t.Errorf("it is not what the office asked, each four times:\n%s", out)
	}
	var shown struct {
		Questions []struct{ Client, Verdict string }
	}
	if err := json.Unmarshal([]byte(d.must("trace", "show", "-o", "json")), &shown); err != nil || len(shown.Questions) != 8 || shown.Questions[7].Verdict != "sinkholed" {
		t.Errorf("as JSON: %+v, %v", shown, err)
	}
	kept := whatWasKept(t, d, file)
	if strings.Count(kept, " CR 127.10.2.7:") != 4 || strings.Count(kept, " CQ 127.10.2.8:") != 4 || strings.Count(kept, "\n") != 16 {
		t.Errorf("the dnstap file has\n%s", kept)
	}
	says(t, d.must("status"), "trace tributi by", "il portale non si apre")
	if r := d.usciere("trace", "start", "--client", "127.10.1.7", "--purpose", "x"); r.code != 1 || !strings.Contains(r.err, "there is a trace already") {
		t.Errorf("%s", r)
	}
	says(t, d.must("trace", "stop"), "deleted 8 questions")
	if r := d.usciere("trace", "show"); r.code != 1 || !strings.Contains(r.err, "there is no trace") {
		t.Errorf("%s", r)
	}

	says(t, d.must("trace", "start", "--client", "127.10.2.7", "--purpose", "una postazione"), "trace 127.10.2.7 by")
	d.ask("127.10.2.8", "www.facebook.com", dns.TypeA)
	d.ask("127.10.2.7", "www.agenziaentrate.gov.it", dns.TypeAAAA)
	if kept := whatWasKept(t, d, file); strings.Count(kept, "\n") != 2 || !strings.Contains(kept, "www.agenziaentrate.gov.it/IN/AAAA") {
		t.Errorf("of one machine the dnstap file has\n%s", kept)
	}
	state, err := os.ReadFile(filepath.Join(d.state, "usciere.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"www.facebook.com", "127.10.2.8"} {
		if bytes.Contains(state, []byte(secret)) {
			t.Errorf("%s is on the disk", secret)
		}
	}
	d.stop()
	d = d.again("--demo")
	if r := d.usciere("trace", "show"); r.code != 1 {
		t.Errorf("a trace outlived the daemon: %s", r)
	}
	says(t, d.must("journal", "list", "--limit", "6"), "trace.start tributi", "trace.look tributi", "trace.end tributi", "usciere system trace.end tributi")
	d.verify()
}
