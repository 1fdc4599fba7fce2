package policy

import (
	"testing"
	"time"
)

func TestMomentsAreDaysOrMinutes(t *testing.T) {
	for text, want := range map[string]Moment{
		"2027-06-30": "2027-06-30", "2027-06-30T18:00": "2027-06-30T18:00", "2027-06-30 18:00": "2027-06-30T18:00", "2028-02-29": "2028-02-29",
	} {
		if m, err := ParseMoment(text); err != nil || m != want {
			t.Errorf("ParseMoment(%q) = %q, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "tomorrow", "2027-6-30", "2027-02-29", "30/06/2027", "2027-06-30T9:04", "2027-06-30T24:00", "2027-06-30T18:00:00", "2027-06-30Z", " 2027-06-30"} {
		if m, err := ParseMoment(text); !IsCode(err, Invalid) {
			t.Errorf("ParseMoment(%q) = %q, %v; want a refusal", text, m, err)
		}
	}
	if _, err := ParseDay("2027-06-30T18:00"); !IsCode(err, Invalid) {
		t.Error("a minute passed as a day")
	}
}

func TestADayIsCountedWhole(t *testing.T) {
	for _, tc := range []struct {
		about       string
		from, until Moment
		at          string
		want        bool
	}{
		{"before the first day", "2026-03-02", "", "2026-03-01 23:59", false},
		{"the first day's first minute", "2026-03-02", "", "2026-03-02 00:00", true},
		{"the last day's last minute", "", "2026-03-02", "2026-03-02 23:59", true},
		{"the day after", "", "2026-03-02", "2026-03-03 00:00", false},
		{"before the minute", "2026-03-02T08:30", "", "2026-03-02 08:29", false},
		{"from the minute on", "2026-03-02T08:30", "", "2026-03-02 08:30", true},
		{"until the minute, not through it", "", "2026-03-02T18:00", "2026-03-02 18:00", false},
		{"just before", "", "2026-03-02T18:00", "2026-03-02 17:59", true},
		{"a single day", "2026-03-02", "2026-03-02", "2026-03-02 12:00", true},
		{"the day of 23 hours ends at its midnight", "", "2026-03-29", "2026-03-29 23:59", true},
		{"and no later", "", "2026-03-29", "2026-03-30 00:00", false},
		{"the day of 25 hours ends at its midnight", "", "2026-10-25", "2026-10-25 23:59", true},
		{"and not an hour late", "", "2026-10-25", "2026-10-26 00:00", false},
		{"no dates at all", "", "", "1999-01-01 00:00", true},
	} {
		t.Run(tc.about, func(t *testing.T) {
			if got := spanOf(tc.from, tc.until, rome).holds(at(tc.at)); got != tc.want {
				t.Errorf("from %q until %q at %s: %v", tc.from, tc.until, tc.at, got)
			}
		})
	}
}

func TestTheDayIsTheTowns(t *testing.T) {
	if day := DayOf(time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC), rome); day != "2026-03-02" {
		t.Errorf("half past midnight in Rome is %s", day)
	}
	for m, want := range map[Moment]Moment{"2026-03-01": "2026-02-28", "2026-01-01T10:00": "2025-12-31", "2026-03-30": "2026-03-29"} {
		if got := m.DayBefore(); got != want {
			t.Errorf("the day before %s is %s", m, got)
		}
	}
}
