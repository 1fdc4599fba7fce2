//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// knownNames are names that the demo's offices were granted, or others would like to see.
var knownNames = []string{
	"www.inps.it", "servizi2.inps.it", "inps.it", "WWW.InpS.iT", "www.anpr.interno.it", "modipa.anpr.interno.it",
	"idserver.servizicie.interno.gov.it", "www.agenziaentrate.gov.it", "telematici.agenziaentrate.gov.it", "www.giustizia.it",
	"pst.giustizia.it", "www.gazzettaufficiale.it", "gazzettaufficiale.it", "timestamp.infocert.it", "www.normattiva.it", "www.example.com", "example.com",
	"www.wikipedia.org", "www.corriere.it", "www.msftconnecttest.com", "detectportal.firefox.com", "gov.it", "it", "localhost",
	"stampante.local", "stampante", "wpad.corriere.it", "_http._tcp.corriere.it", "4.3.2.1.in-addr.arpa", "_imaps._tcp.example.com",
	"autodiscover.inps.it", "nessuno.inps.it", "nessuno.corriere.it", "a.b.c.giustizia.it",
}

var knownTypes = []uint16{dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeSRV, dns.TypeHTTPS}

// randomQuestion is a known name, or one that nobody asked before; a first label without a dot stays out of the pool's TLDs.
func randomQuestion(r *rand.Rand) (name string, qtype uint16) {
	name, qtype = knownNames[r.IntN(len(knownNames))], knownTypes[r.IntN(len(knownTypes))]
	if r.IntN(3) == 0 && strings.Contains(name, ".") && name[0] != '_' && name[0] != '4' && !strings.HasPrefix(name, "wpad") {
		name = fmt.Sprintf("n%d.%s", r.Uint32(), name)
	}
	return dns.Fqdn(name), qtype
}

var (
	sentPattern = regexp.MustCompile(`Queries sent:\s+(\d+)`)
	lostPattern = regexp.MustCompile(`Queries lost:\s+(\d+)`)
	codePattern = regexp.MustCompile(`([A-Z]+) (\d+) \(`)
)

func TestOfAHundredThousandQueriesNotOneIsLostOrWrong(t *testing.T) {
	dnsperf := tool(t, "dnsperf")
	d := demo(t)
	o := newOracle(t, d.addr.Addr().String())
	const seed1, seed2, total = 1, 2, 100_000
	runs := []struct {
		w    workstation
		mode string
	}{
		{demoTown[0], "udp"}, {demoTown[1], "udp"}, {demoTown[2], "udp"}, {demoTown[3], "tcp"}, {demoTown[5], "udp"},
	}
	var done sync.WaitGroup
	for i, load := range runs {
		r := rand.New(rand.NewPCG(seed1, seed2+uint64(i)))
		want := map[string]int{}
		var file strings.Builder
		for range total / len(runs) {
			name, qtype := randomQuestion(r)
			want[o.answer(load.w, name, qtype).rcode]++
			fmt.Fprintf(&file, "%s %s\n", name, dns.TypeToString[qtype])
		}
		path := write(t, filepath.Join(t.TempDir(), "queries"), file.String())
		cmd := exec.Command(dnsperf, "-s", d.addr.Addr().String(), "-p", portOf(d.addr), "-a", load.w.from, "-m", load.mode,
			"-d", path, "-n", "1", "-e", "-T", "1", "-c", "1", "-q", "50", "-t", "10")
		done.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("dnsperf from %s: %v\n%s", load.w.from, err, out)
				return
			}
			sent, lost := firstNumber(sentPattern, out), firstNumber(lostPattern, out)
			if sent != total/len(runs) || lost != 0 {
				t.Errorf("from %s over %s: %d sent, %d lost\n%s", load.w.from, load.mode, sent, lost, out)
			}
			got := map[string]int{}
			for _, m := range codePattern.FindAllSubmatch(out, -1) {
				got[string(m[1])], _ = strconv.Atoi(string(m[2]))
			}
			if delete(got, "NODATA"); !maps.Equal(got, want) {
				t.Errorf("from %s over %s: got %v; want %v\n%s", load.w.from, load.mode, got, want, out)
			}
		})
	}
	done.Wait()
	s := d.status()
	if n := s.Counters; n.Replies < total || n.Shed+n.Failures > 0 {
		t.Errorf("the daemon counts %+v", n)
	}
}

func firstNumber(p *regexp.Regexp, text []byte) int {
	m := p.FindSubmatch(text)
	if m == nil {
		return -1
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

func TestS8RandomQuestionsAreAnsweredAsTheOracleSays(t *testing.T) {
	d := demo(t)
	o := newOracle(t, d.addr.Addr().String())
	r := rand.New(rand.NewPCG(3, 4))
	wrong, asked := 0, max(2000, part(t, 10_000))
	for range asked {
		w := demoTown[r.IntN(len(demoTown))]
		name, qtype := randomQuestion(r)
		network := []string{"udp", "udp", "tcp"}[r.IntN(3)]
		if w.outside { // over UDP strangers get few replies
			network = "tcp"
		}
		m := dnstest.Exchange(t, network, d.addr.String(), w.from, question(name, qtype))
		if got, want := found(m), o.answer(w, name, qtype); !got.equal(want) {
			wrong++
			t.Errorf("%s asks %s %s over %s: got %+v; want %+v", w.from, name, dns.TypeToString[qtype], network, got, want)
		}
		if m.Question[0].Name != name || m.Question[0].Qtype != qtype {
			t.Errorf("the question %s came back as %s", name, m.Question[0].Name)
		}
	}
	none(t, "verdicts not as the oracle's, whose words depend on nobody's traffic", wrong, asked)
}
