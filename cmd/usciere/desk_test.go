package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/store"
)

// soonOver are rules with a grant that ends on 2000-03-31; in a bubble it is 2000-01-01.
func soonOver(t *testing.T) *policy.Live {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	rules, err := policy.Open(st, policy.Town{Zone: time.UTC}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.Apply(system,
		policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi"},
		policy.AddSeat{ID: "dirigente", Office: "tributi", Role: policy.Manager, Holder: "G. B.", From: "1999-01-01"},
		policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"www.example.org"}, Until: "2000-03-31", Protocol: "1/2000", Reason: "x"},
	); err != nil {
		t.Fatal(err)
	}
	return rules
}

// reminders are when reminders were written, as days.
func reminders(t *testing.T, rules *policy.Live) (days []string) {
	t.Helper()
	if err := rules.View(func(r policy.Records) error {
		return r.EachLetter(func(l *policy.Letter) bool {
			days = append(days, l.Written.In(time.UTC).Format(time.DateOnly))
			return true
		})
	}); err != nil {
		t.Fatal(err)
	}
	return days
}

func TestTheDeskRemindsOnTheDayAndSleepsBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := soonOver(t)
		var looks atomic.Int64
		now := func() time.Time {
			looks.Add(1)
			return time.Now()
		}
		d := newDesk(rules, settings.Default, now, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.run(ctx)
		}()
		time.Sleep(120 * 24 * time.Hour)
		synctest.Wait()
		stop()
		<-done
		if got := reminders(t, rules); len(got) != 2 || got[0] != "2000-03-01" || got[1] != "2000-03-24" {
			t.Errorf("reminded on %v", got)
		}
		if n := looks.Load(); n > 120*20 {
			t.Errorf("it looked at the clock %d times in 120 days", n)
		}
	})
}

func TestAStartIsNoReasonToRemindTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := soonOver(t)
		time.Sleep(88 * 24 * time.Hour) // it was off when both reminders were due
		for range 3 {
			d := newDesk(rules, settings.Default, time.Now, slog.New(slog.DiscardHandler))
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				d.run(ctx)
			}()
			time.Sleep(time.Hour)
			synctest.Wait()
			stop()
			<-done
		}
		if got := reminders(t, rules); len(got) != 1 {
			t.Errorf("reminded on %v", got)
		}
	})
}

func TestLettersLookAsTheSettingsSay(t *testing.T) {
	s := settings.Default()
	s.Town.Name, s.Letters.Signature, s.Mail.Server, s.Mail.From = "Comune", []string{"Il dirigente", "P. Ferri"}, "posta.example.it", "ced@comune.example.it"
	got := styleOf(s)
	if got.Language != "it" || got.Town != "Comune" || got.Signature != "Il dirigente\nP. Ferri" || !got.Mail || got.Domain != "comune.example.it" {
		t.Errorf("%+v", got)
	}
	if got := styleOf(settings.Default()); got.Mail || got.Domain != "" {
		t.Errorf("without a mail server: %+v", got)
	}
}
