package resolver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

// A scenario is a text file in testdata that tells one behaviour of the resolver, and is played with a whole resolver on real
// sockets and a clock that moves only when told to. dnstest.ParseScenario has the form: a title, statements, their blocks
// indented, what is expected behind arrows. The statements:
//
//	at 2026-03-02 08:00           the town's clock (Europe/Rome); before the first it is that Monday, 09:00
//	pass 90s                      time goes by
//
//	town, change                  changes of the rules in one transaction, in the statement or a line each of its block:
//	    office ID NETWORK… [name "NAME"] [sinkhole MODE]    with a manager's seat dirigente-ID, held by M. Rossi since 2025
//	    network NETWORK OFFICE
//	    mode OFFICE MODE                                    its sinkhole mode
//	    seat ID OFFICE [role ROLE] [holder "NAME"] [from DAY] [host ADDR]…
//	    assign SEAT "NAME" [from DAY] [host ADDR]…           "": nobody holds it
//	    host ADDR [office ID] [role server] [seat ID] [from DAY]
//	    service ID RULE… [channel mail] [eligible OFFICE]…
//	    allow SUBJECT NAME… [channel mail] [types A,MX] [from MOMENT] [until MOMENT] [schedule "TIMES"]
//	    revoke SUBJECT NAME… [channel mail]                 SUBJECT: an office, role:server, everyone
//	    remove office|seat|host|service ID, remove network NETWORK OFFICE
//	    → refused: WHY                                      the rules stay as they were
//
//	settings KEY VALUE…           a key of the settings file, such as sinkhole.mode nxdomain; from the first ask on a reload
//	zone ORIGIN [for OFFICE [from DAY], OFFICE…]            a local zone, its master file in the block; again: a reload
//	zone ORIGIN gone
//	flush                         empties the answer cache, as a reload does
//
//	upstream [NAME]               a server for all names, in the order of the first mention, its records in the block
//	forward ZONE…                 a server for these zones; what follows is said of upstream [NAME] and forward ZONE alike
//	upstream sends LINE           what it sends over UDP to each query; a line, or several in the block: see dnstest.Script
//	upstream over tcp sends LINE
//	upstream holds, lets go       keeps its replies back; questions that need them wait meanwhile
//	upstream dies                 its port is closed
//	upstream was asked            since this was last said of it: each query as dnstest.Query.String has it
//	    → www.inps.it A do
//	upstream was not asked
//
//	ask CLIENT NAME TYPE [CLASS] [OPTION…] [×N]
//	                              CLIENT is an address, or an office: address 5 of its first network; the options are dig's, see
//	                              dnstest.ParseQuestion; ×N: so often at once
//	    → NOERROR aa; www.inps.it 300 A 192.0.2.1           all of the reply, as dnstest.Show has it; … stands for any text
//	    → nothing                                           silence
//	counted sinkholed 2, allowed 1     the resolver's counters since it started
//
// Without settings the upstream timeouts are long, so that only a scenario of silence waits for one.
var statements = map[string]func(*scene, dnstest.Step) (seen []string, err error){
	"at":       (*scene).at,
	"pass":     (*scene).pass,
	"town":     (*scene).change,
	"change":   (*scene).change,
	"settings": (*scene).settings,
	"zone":     (*scene).zone,
	"flush":    (*scene).flush,
	"upstream": (*scene).server,
	"forward":  (*scene).server,
	"ask":      (*scene).ask,
	"counted":  (*scene).counted,
}

func TestScenarios(t *testing.T) {
	titles := map[string]string{}
	for _, file := range scenarios(t, "testdata") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".scenario"), func(t *testing.T) {
			title, faults := playFile(t, file)
			if other := titles[title]; other != "" {
				t.Errorf("%s and %s have one title", other, file)
			}
			titles[title] = file
			for _, fault := range faults {
				t.Errorf("%s\n%v", title, fault)
			}
		})
	}
	if len(titles) < 60 {
		t.Errorf("%d scenarios: some are gone", len(titles))
	}
}

// TestAWrongScenarioFails plays scenarios whose remarks "# fails:" say, in order, of what each fault must speak.
func TestAWrongScenarioFails(t *testing.T) {
	for _, file := range scenarios(t, "testdata/wrong") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".scenario"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				if piece, ok := strings.CutPrefix(line, "# fails: "); ok {
					want = append(want, strings.ReplaceAll(strings.TrimSpace(piece), `\n`, "\n"))
				}
			}
			_, faults := playFile(t, file)
			if len(want) == 0 || len(faults) != len(want) {
				t.Fatalf("%d faults, want %d: %v", len(faults), len(want), faults)
			}
			for i, fault := range faults {
				if !strings.Contains(fault.Error(), want[i]) {
					t.Errorf("got\n%v\nwant a fault that has\n%s", fault, want[i])
				}
			}
		})
	}
}

func scenarios(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.scenario"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", dir, err)
	}
	return files
}

// playFile plays a scenario and returns its title and what was not as it says, in order; each fault names file and line. A
// statement that cannot be understood ends the play.
func playFile(t testing.TB, file string) (title string, faults []error) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	scenario, err := dnstest.ParseScenario(string(text))
	if err != nil {
		return "", []error{fmt.Errorf("%s:%w", file, err)}
	}
	s := newScene(t, file)
	for _, step := range scenario.Steps {
		do := statements[step.Words[0]]
		if do == nil {
			s.fault(step, errors.New("there is no such statement"))
			break
		}
		seen, err := do(s, step)
		if err != nil {
			s.fault(step, err)
			break
		}
		if step.Words[0] != "ask" { // whose reply may come later
			s.compare(step, seen)
		}
	}
	s.end()
	return scenario.Title, s.faults
}

// scene is a house in which a scenario is played.
type scene struct {
	*house
	file   string
	actors []*actor // the upstream servers, and those of forwards
	said   sayings  // of the settings
	asking []*asking
	faults []error
}

func newScene(t testing.TB, file string) *scene {
	t.Helper()
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{house: &house{TB: t, clock: &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, rome)}}, file: file}
	s.said = defaultSayings(rome)
	if s.live, err = policy.Open(newMemory(), s.said.town, s.clock.Now); err != nil {
		t.Fatal(err)
	}
	return s
}

// fault notes that a step was not as it should be.
func (s *scene) fault(step dnstest.Step, err error) {
	s.faults = append(s.faults, fmt.Errorf("%s:%d: %s\n%w", s.file, step.Number, step.Text, err))
}

// compare holds what was seen of a step against what is expected of it.
func (s *scene) compare(step dnstest.Step, seen []string) {
	var expected []string
	for _, line := range step.Expects {
		expected = append(expected, line.Text)
	}
	if !dnstest.Match(expected, seen) {
		list := func(lines []string) string {
			if len(lines) == 0 {
				return " nothing"
			}
			return "\n\t" + strings.Join(lines, "\n\t")
		}
		s.fault(step, fmt.Errorf("expected%s\ngot%s", list(expected), list(seen)))
	}
}

// refused is what is seen of something that the program refuses.
func refused(err error) []string {
	return []string{"refused: " + strings.Join(strings.Fields(err.Error()), " ")}
}

func (s *scene) at(step dnstest.Step) ([]string, error) {
	text := strings.Join(step.Words[1:], " ")
	to, err := time.ParseInLocation("2006-01-02 15:04", text, s.said.town.Zone)
	if err != nil {
		return nil, fmt.Errorf("%q is no time: write it as 2026-03-02 08:00", text)
	}
	d := to.Sub(s.clock.Now())
	if d < 0 {
		return nil, fmt.Errorf("it is later already: %s", s.clock.Now().In(s.said.town.Zone))
	}
	s.clock.advance(d)
	return nil, nil
}

func (s *scene) pass(step dnstest.Step) ([]string, error) {
	d, err := time.ParseDuration(strings.Join(step.Words[1:], ""))
	if err != nil || d < 0 {
		return nil, errors.New("how long? write it as 90s or 1h30m")
	}
	s.clock.advance(d)
	return nil, nil
}

func (s *scene) flush(dnstest.Step) ([]string, error) {
	s.open()
	s.cache.Flush()
	return nil, nil
}

// counted compares counters, by their names in JSON.
func (s *scene) counted(step dnstest.Step) ([]string, error) {
	s.open()
	raw, err := json.Marshal(s.resolver.Stats())
	if err != nil {
		return nil, err
	}
	var counts map[string]uint64
	if err := json.Unmarshal(raw, &counts); err != nil {
		return nil, err
	}
	words := step.Words[1:]
	if len(words) == 0 || len(words)%2 != 0 {
		return nil, errors.New("what was counted, and how often? counted sinkholed 2, allowed 1")
	}
	for pair := range slices.Chunk(words, 2) {
		want, err := strconv.ParseUint(strings.TrimSuffix(pair[1], ","), 10, 64)
		got, ok := counts[pair[0]]
		switch {
		case err != nil || !ok:
			return nil, fmt.Errorf("%s %s: there are the counters %v", pair[0], pair[1], slices.Sorted(maps.Keys(counts)))
		case got != want:
			s.fault(step, fmt.Errorf("expected\n\t%s %d\ngot\n\t%s %d", pair[0], want, pair[0], got))
		}
	}
	return nil, nil
}
