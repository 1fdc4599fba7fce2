package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"usciere/bench/measure"
	"usciere/bench/officeload"
	"usciere/policy"
)

// How a day is soaked.
const (
	soakSpeed = 10               // times the town's own
	soakStep  = 20 * time.Second // between two samples
	soakTTL   = 60               // seconds: answers age, and stale ones are needed
	soakFault = 4 * time.Second  // how long the upstream keeps silent
)

// What happens beside the load, in which step of so many.
const (
	reloadEvery = 3
	faultEvery  = 4
)

// restartAt is the step with the restart: an early one, since what is bounded fills for a while after it, and only then shows whether memory
// stays as it is.
func restartAt(steps int) int { return max(1, steps/6) }

// soak is the day with everything that may happen on it, and what came of that.
type soak struct {
	*bench
	changer *player
	total   *result
	samples []sample

	number                              int // of the last letter
	changes, stale, faults, reloads     int
	restarts, unavailable, duringFaults int // restarts; questions lost during one; failed while the upstream was silent
}

// sample is what the server has at a time of the run.
type sample struct {
	at                      time.Duration
	process                 int   // changes with a restart
	memory                  int64 // that no file backs: pages of the store are the kernel's to drop, and grow with the journal
	store                   int64
	descriptors, goroutines int
	sent                    int // questions in the step
}

// runSoak plays the day, or as much of it as there is time for: from the log-on.
func (b *bench) runSoak(ctx context.Context) error {
	s := &soak{bench: b, total: newResult(), number: 1000}
	b.upstream.ttl = soakTTL
	var err error
	if s.changer, err = newPlayer(b.resolver.addr); err != nil {
		return err
	}
	defer s.changer.close()
	if _, err := b.play(ctx, b.resolver, b.town.Warm(warmRate), rules{verdicts: true, warming: true}); err != nil {
		return err
	}
	whole := 24 * time.Hour
	span := min(b.soak*soakSpeed, whole)
	from := max(0, min(logonFrom, whole-span))
	step := min(soakStep, b.soak/5)
	steps := int(span / (step * soakSpeed))
	for i := range steps {
		part := officeload.Play{From: from + time.Duration(i)*step*soakSpeed, To: from + time.Duration(i+1)*step*soakSpeed, Speed: soakSpeed}
		if err := s.step(ctx, i, steps, part); err != nil {
			return err
		}
	}
	s.print(os.Stdout)
	if b.report != "" {
		file := filepath.Join(filepath.Dir(b.report), "soak.html")
		if err := s.writeReport(file); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		fmt.Println("report   ", file)
	}
	return s.verdict()
}

// logonFrom is when a soak that is shorter than the day begins.
var logonFrom = officeload.Clock(7, 50)

// step plays a part of the day while something else happens, and takes a sample.
func (s *soak) step(ctx context.Context, i, steps int, part officeload.Play) error {
	events := s.events(&part)
	checked := rules{verdicts: true}
	fault := i%faultEvery == faultEvery-1
	restart := i == restartAt(steps)
	// A question that failed is not asked again for a while, and what is not cached since a restart may be such a one.
	if after := i%faultEvery == 0 && i > 0; fault || after || restart {
		checked.overload, checked.warming = true, true
	}
	type outcome struct {
		turn turn
		err  error
	}
	played := make(chan outcome, 1)
	go func() {
		t, err := s.players[s.resolver].play(ctx, events, checked)
		played <- outcome{turn{result: t}, err}
	}()
	err := s.disturb(ctx, i, fault, restart, part.Length())
	o := <-played
	if err = errors.Join(err, o.err); err != nil {
		return err
	}
	t := o.turn.result
	if restart {
		for k := range t.Lost {
			s.unavailable += t.Lost[k]
			t.Lost[k] = 0
		}
	}
	for k := range t.Failed {
		s.duringFaults += t.Failed[k]
	}
	s.total.add(t)
	return s.sample(ctx, i, part.Length(), len(events))
}

// disturb makes things happen for a while: changes all the time, and what else is due.
func (s *soak) disturb(ctx context.Context, i int, fault, restart bool, length time.Duration) error {
	end := time.Now().Add(length)
	if fault {
		s.faults++
		s.upstream.mute.Store(true)
		select {
		case <-ctx.Done():
		case <-time.After(min(soakFault, length/2)):
		}
		s.upstream.mute.Store(false)
	}
	if restart {
		for time.Until(end) > length/2 && ctx.Err() == nil {
			if err := s.change(ctx); err != nil {
				return err
			}
		}
		s.restarts++
		if err := s.resolver.cmd.Process.Kill(); err != nil {
			return err
		}
		_ = s.resolver.cmd.Wait() // it was killed
		if err := s.resolver.serve(ctx, s.program, s.folder); err != nil {
			return err
		}
	}
	if i%reloadEvery == reloadEvery-1 {
		s.reloads++
		if err := s.resolver.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return err
		}
	}
	for time.Now().Before(end) && ctx.Err() == nil {
		if err := s.change(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// change grants a new name to an office and takes it away again; each holds for the very next question.
func (s *soak) change(ctx context.Context) error {
	s.number++
	o := s.town.Offices[s.number%len(s.town.Offices)]
	name := fmt.Sprintf("www.nuovo%d.it", s.number)
	made, err := s.resolver.admin.AddGrants(ctx, policy.AddGrants{Subject: policy.Subject{Office: o.ID}, Names: []string{name},
		Protocol: fmt.Sprintf("%d/2026", s.number), Reason: "prova"})
	if err != nil {
		return err
	}
	station := o.Stations[s.number%len(o.Stations)]
	ask := func(want officeload.Answer) error {
		q := &officeload.Question{Name: name, Type: officeload.A, Kind: officeload.Cached, Want: want}
		r, err := s.changer.play(ctx, []officeload.Event{{Station: station, Question: q}}, rules{verdicts: true})
		if err != nil {
			return err
		}
		s.changes++
		if r.Wrong+r.Lost[officeload.Cached] > 0 {
			s.stale++
			if s.total.First == "" {
				s.total.First = "after a change: " + r.First
			}
		}
		return nil
	}
	if err := ask(officeload.Answer{Records: true, Addr: officeload.Upstream(name, officeload.A)}); err != nil {
		return err
	}
	if _, err := s.resolver.admin.RevokeGrants(ctx, policy.RevokeGrants{Grants: []policy.GrantID{made.Grants[0].ID}, Reason: "prova"}); err != nil {
		return err
	}
	return ask(officeload.Answer{Records: true, Addr: officeload.Page})
}

// soakSettings are the server's beside those of the load: metrics, which say how many goroutines there are, and so small a cache that it is full
// some minutes after the restart, and memory grows by nothing else from then on.
const soakSettings = "metrics: {listen: [\"127.0.0.1:0\"]}\ncache: {entries: 20000}\n"

// addSettings adds settings to those in a folder.
func addSettings(folder, more string) error {
	f, err := os.OpenFile(filepath.Join(folder, officeload.SettingsFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(more); err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	return f.Close()
}

var goroutinePattern = regexp.MustCompile(`(?m)^go_goroutines (\d+)$`)

// goroutines are how many the server has.
func (s *soak) goroutines(ctx context.Context) (int, error) {
	status, err := s.resolver.admin.Status(ctx)
	if err != nil {
		return 0, err
	}
	if len(status.Daemon.Metrics) == 0 {
		return 0, errors.New("the server shows no metrics")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, status.Daemon.Metrics[0], nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	found := goroutinePattern.FindSubmatch(text)
	if found == nil {
		return 0, errors.New("the metrics do not say how many goroutines there are")
	}
	return strconv.Atoi(string(found[1]))
}

func (s *soak) sample(ctx context.Context, i int, length time.Duration, sent int) error {
	pid := s.resolver.cmd.Process.Pid
	m, err := measure.MemoryOf(pid)
	if err != nil {
		return err
	}
	files, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return err
	}
	goroutines, err := s.goroutines(ctx)
	if err != nil {
		return err
	}
	store, err := os.Stat(filepath.Join(s.folder, "state", "usciere.db"))
	if err != nil {
		return err
	}
	s.samples = append(s.samples, sample{time.Duration(i+1) * length, s.restarts, m.Anonymous, store.Size(), len(files), goroutines, sent})
	return nil
}

// held is one thing that a soak must show.
type held struct {
	what, got, most string
	met             bool
}

// promises are what the soak is held to. What grows is seen between the first and the second half of the samples since the restart.
func (s *soak) promises() []held {
	sent := 0
	lost := 0
	for k := range s.total.Sent {
		sent += s.total.Sent[k]
		lost += s.total.Lost[k]
	}
	last := slices.DeleteFunc(slices.Clone(s.samples), func(m sample) bool { return m.process != s.restarts })
	most := func(part []sample, value func(sample) float64) (v float64) {
		for _, m := range part {
			v = max(v, value(m))
		}
		return v
	}
	grown := func(what, unit string, room, per float64, value func(sample) float64) held {
		before, after := most(last[:(len(last)+1)/2], value), most(last[len(last)/2:], value)
		return held{what, fmt.Sprintf("%.0f, then %.0f%s", before/per, after/per, unit), fmt.Sprintf("%.0f%s more", room/per, unit), after <= before+room}
	}
	const mib = 1 << 20
	return []held{
		{"wrong answers", fmt.Sprintf("%d of %s", s.total.Wrong, grouped(sent)), "0", s.total.Wrong == 0},
		{"lost questions, those of the restart aside", fmt.Sprintf("%d", lost), "0", lost == 0},
		{"answers to the next question after a change that were not by it", fmt.Sprintf("%d of %d", s.stale, s.changes), "0", s.stale == 0 && s.changes > 0},
		grown("memory", " MiB", 24*mib, mib, func(m sample) float64 { return float64(m.memory) }),
		grown("goroutines", "", 20, 1, func(m sample) float64 { return float64(m.goroutines) }),
		grown("descriptors", "", 20, 1, func(m sample) float64 { return float64(m.descriptors) }),
	}
}

func (s *soak) verdict() error {
	for _, p := range s.promises() {
		if !p.met {
			return fmt.Errorf("%s: %s, at most %s; the first wrong one: %s", p.what, p.got, p.most, s.total.First)
		}
	}
	return nil
}
