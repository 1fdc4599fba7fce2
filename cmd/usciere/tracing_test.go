package main

import (
	"bytes"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/store"
	"usciere/resolver"
	"usciere/resolver/answercache"
	"usciere/resolver/tap"
)

// traced is a daemon with the office tributi, and what its journal says of traces, oldest first.
func traced(t *testing.T, s settings.Trace, clock ...func() time.Time) (d *daemon, said func() []string) {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	d = &daemon{log: slog.New(slog.DiscardHandler)}
	d.tracing.daemon = d
	d.inForce.Store(&inForce{settings: settings.Settings{Trace: s}})
	if d.rules, err = policy.Open(st, policy.Town{Zone: time.UTC}, append(clock, time.Now)[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := d.rules.Apply(system, policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi"}); err != nil {
		t.Fatal(err)
	}
	d.resolver = resolver.New(d.rules, answercache.New(answercache.Config{Entries: 100}), time.Now)
	return d, func() (lines []string) {
		if err := st.Journal(1, func(e journal.Entry) bool {
			if e.Kind == "trace.start" || e.Kind == "trace.end" {
				lines = append(lines, e.Kind+" "+e.Actor.Name+" "+string(e.Body))
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return lines
	}
}

// kept has a client of the office asked and told something, and says whether it was kept.
func kept(d *daemon) bool {
	client := netip.MustParseAddrPort("10.20.2.5:5353")
	trace := d.resolver.Tap().Of("tributi", client.Addr())
	if trace == nil {
		return false
	}
	trace.Note(tap.Exchange{Client: client, Local: client, Office: "tributi", Asked: time.Now(), Told: time.Now(), Question: []byte("q"), Reply: []byte("r")})
	return true
}

var (
	anna  = policy.Actor{Name: "anna"}
	bruno = policy.Actor{Name: "bruno"}
	start = policy.StartTrace{Office: "tributi", Minutes: 30, Purpose: "SIATEL non si apre"}
)

func TestATraceIsDeletedWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, said := traced(t, settings.Default().Trace)
		if kept(d) {
			t.Error("kept before there is a trace")
		}
		if _, err := d.tracing.Start(anna, start); err != nil {
			t.Fatal(err)
		}
		if _, err := d.tracing.Start(bruno, start); !policy.IsCode(err, policy.Conflict) {
			t.Errorf("a second beside it: %v", err)
		}
		time.Sleep(30*time.Minute - time.Second)
		if !kept(d) {
			t.Error("not kept a second before the end")
		}
		for _, who := range []policy.Actor{anna, bruno, anna} {
			page, err := d.tracing.Read(who, 1, 10)
			if err != nil || page.Seen != 1 || len(page.Questions) != 1 || page.Questions[0].Client != "10.20.2.5" {
				t.Fatalf("%+v, %v", page, err)
			}
		}
		write, err := d.tracing.Export(anna)
		var file bytes.Buffer
		if err != nil || write(&file) != nil || file.Len() == 0 {
			t.Fatalf("export: %v, %d octets", err, file.Len())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if kept(d) {
			t.Error("kept after the end")
		}
		if _, err := d.tracing.Read(anna, 1, 10); !policy.IsCode(err, policy.NotFound) {
			t.Errorf("read after the end: %v", err)
		}
		if _, err := d.tracing.Export(anna); !policy.IsCode(err, policy.NotFound) {
			t.Errorf("exported after the end: %v", err)
		}
		if _, err := d.tracing.Stop(anna); !policy.IsCode(err, policy.NotFound) {
			t.Errorf("stopped after the end: %v", err)
		}
		want := []string{
			`trace.start anna {"office":"tributi","purpose":"SIATEL non si apre","begun":"2000-01-01T00:00:00Z","until":"2000-01-01T00:30:00Z","by":"anna"}`,
			`trace.end usciere {"office":"tributi","purpose":"SIATEL non si apre","begun":"2000-01-01T00:00:00Z","until":"2000-01-01T00:30:00Z","by":"anna","questions":1,"read_by":["anna","bruno"]}`,
		}
		if got := said(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("the journal says %q", got)
		}
	})
}

func TestATraceEndsWithWhoStopsItAndWithTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, said := traced(t, settings.Default().Trace)
		for _, end := range []func(){
			func() {
				ended, err := d.tracing.Stop(bruno)
				if err != nil || ended.Questions != 1 {
					t.Errorf("%+v, %v", ended, err)
				}
			},
			d.tracing.close,
		} {
			if _, err := d.tracing.Start(anna, start); err != nil {
				t.Fatal(err)
			}
			if !kept(d) {
				t.Error("not kept")
			}
			end()
			if kept(d) {
				t.Error("kept after the end")
			}
		}
		d.tracing.close()
		if got := said(); len(got) != 4 || got[1][:15] != "trace.end bruno" || got[3][:17] != "trace.end usciere" {
			t.Errorf("the journal says %q", got)
		}
	})
}

// The clock of the rules stands for one that was put back, or went on while the machine slept, after the trace began.
func TestNoClockProlongsATrace(t *testing.T) {
	for wrong, lasts := range map[time.Duration]time.Duration{0: 30 * time.Minute, 5 * time.Hour: 30 * time.Minute, -29*time.Minute - 30*time.Second: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			d, _ := traced(t, settings.Default().Trace, func() time.Time { return time.Now().Add(wrong) })
			if _, err := d.tracing.Start(anna, start); err != nil {
				t.Fatal(err)
			}
			for minute := time.Minute; minute <= 40*time.Minute; minute += time.Minute {
				time.Sleep(time.Minute)
				synctest.Wait()
				if still := kept(d); still != (minute < lasts) {
					t.Fatalf("%s wrong: after %s it is kept: %v", wrong, minute, still)
				}
			}
		})
	}
}

func TestNewSettingsEndATraceSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, said := traced(t, settings.Default().Trace)
		for _, c := range []struct {
			longest  time.Duration
			ends     time.Duration // after the trace began
			reloaded time.Duration
		}{{time.Hour, 30 * time.Minute, 5 * time.Minute}, {10 * time.Minute, 10 * time.Minute, 5 * time.Minute}, {10 * time.Minute, 20 * time.Minute, 20 * time.Minute}, {0, 5 * time.Minute, 5 * time.Minute}} {
			d.inForce.Store(&inForce{settings: settings.Settings{Trace: settings.Default().Trace}})
			begun, err := d.tracing.Start(anna, start)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(c.reloaded)
			d.inForce.Store(&inForce{settings: settings.Settings{Trace: settings.Trace{Longest: c.longest, Memory: settings.MiB}}})
			d.tracing.reloaded()
			if left := c.ends - c.reloaded; left > 0 {
				time.Sleep(left - time.Second)
				if !kept(d) {
					t.Errorf("%+v: not kept a second before the end", c)
				}
				time.Sleep(time.Second)
			}
			synctest.Wait()
			if kept(d) {
				t.Errorf("%+v: kept %s after it began", c, time.Since(begun.Begun))
			}
		}
		if n := len(said()); n != 8 {
			t.Errorf("the journal has %d entries", n)
		}
	})
}

func TestTheSettingsBoundATrace(t *testing.T) {
	for _, c := range []struct {
		longest time.Duration
		minutes int
		ok      bool
	}{{0, 1, false}, {59 * time.Second, 1, false}, {time.Minute, 1, true}, {time.Hour, 60, true}, {time.Hour, 61, false}} {
		d, said := traced(t, settings.Trace{Longest: c.longest, Memory: settings.MiB})
		_, err := d.tracing.Start(anna, policy.StartTrace{Office: "tributi", Minutes: c.minutes, Purpose: "x"})
		if ok := err == nil; ok != c.ok || !ok && (!policy.IsCode(err, policy.Invalid) || len(said()) > 0 || kept(d)) {
			t.Errorf("%d minutes where %s is the longest: %v; the journal says %q", c.minutes, c.longest, err, said())
		}
		d.tracing.close()
	}
}
