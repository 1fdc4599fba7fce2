//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// What an office's clients ask for is told of when three of them did, never who they were; and kept over a kill.
func TestWhatAnOfficeAsksForIsCountedWithoutItsClients(t *testing.T) {
	d := demo(t)
	stored := func(text string) bool {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(d.state, "usciere.db"))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte(text))
	}
	asks := func(last int, names ...string) {
		for _, name := range names {
			d.ask(fmt.Sprintf("127.10.2.%d", last), name, dns.TypeA)
			d.ask(fmt.Sprintf("127.10.2.%d", last), name, dns.TypeAAAA)
		}
	}
	// Repetitions within a minute are answered by what is remembered of it, and not counted: each has a name of its own to be decided.
	for i := range 2 {
		asks(101+i, fmt.Sprintf("a%d.ricercata.it", i), "segreta.it")
	}
	says(t, d.must("asked"), "no name was asked for by three clients")
	if stored("segreta") {
		t.Error("a name that two clients asked for is on the disk")
	}
	for i := range 3 {
		d.allow("cultura", fmt.Sprintf("%d/2026", 800+i), fmt.Sprintf("www.altro%d.it", i)) // with each change of the rules all is decided anew
		asks(111+i, "www.ricercata.it", "www.agenziaentrate.gov.it")
	}
	out := d.must("asked", "--office", "tributi")
	says(t, out, "www.ricercata.it tributi 3 0 1", "www.agenziaentrate.gov.it tributi 0 3 1")
	if strings.Contains(out, "segreta") || strings.Contains(out, "127.10") {
		t.Errorf("it says too much:\n%s", out)
	}
	says(t, d.must("asked", "--office", "cultura"), "no name was asked for")
	if r := d.usciere("asked", "--office", "nessuno"); r.code != 1 || !strings.Contains(r.err, "there is no office") {
		t.Errorf("%s", r)
	}
	if stored("127.10.2.11") {
		t.Error("a client is on the disk")
	}
	d.kill()
	d = d.again("--demo")
	says(t, d.must("asked"), "www.ricercata.it tributi 3 0 1")
	d.verify() // none of it is in the journal
}

// A town that wants no counts has none, nor those of before.
func TestCountingCanBeLeftOut(t *testing.T) {
	folder := t.TempDir()
	config := filepath.Join(folder, "usciere.yaml")
	settings := func(days int) {
		write(t, config, fmt.Sprintf("listen: [\"127.0.0.1:0\"]\ntown: {site: [127.10.0.0/16, 127.0.0.1/32]}\nportal: {enabled: false}\nasked: {days: %d}\n", days))
	}
	settings(7)
	d := serve(t, setup{args: []string{"--demo", "--config", config}})
	number := 800
	asks := func(name string) {
		for i := range 3 {
			number++
			d.allow("cultura", fmt.Sprintf("%d/2026", number), fmt.Sprintf("www.altro%d.it", number))
			d.ask(fmt.Sprintf("127.10.2.%d", 111+i), name, dns.TypeA)
		}
	}
	asks("www.prima.it")
	says(t, d.must("asked"), "www.prima.it tributi 3 0 1")
	settings(0)
	d.reload("settings read again", "asked.days")
	asks("www.dopo.it")
	says(t, d.must("asked"), "no name was asked for")
}
