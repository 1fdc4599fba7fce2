package policy

import (
	"strings"
	"testing"
	"time"
)

func TestSchedulesOpenByTheTownsClock(t *testing.T) {
	const office = "mon-fri 08:00-14:00; tue,thu 14:30-17:30"
	for _, tc := range []struct {
		about, schedule, at string
		want                bool
	}{
		{"Monday morning", office, "2026-03-02 08:00", true},
		{"a minute early", office, "2026-03-02 07:59", false},
		{"two o'clock is over", office, "2026-03-02 14:00", false},
		{"Tuesday afternoon", office, "2026-03-03 17:29", true},
		{"Wednesday afternoon", office, "2026-03-04 15:00", false},
		{"Sunday", office, "2026-03-01 10:00", false},
		{"Italian days", "lun-ven 08:00-14:00", "2026-03-06 10:00", true},
		{"martedì is not March", "mar 08:00-14:00", "2026-03-03 10:00", true},
		{"a range over the week's end", "sat-mon 10:00-11:00", "2026-03-01 10:30", true},
		{"a range over the week's end is not its complement", "sat-mon 10:00-11:00", "2026-03-04 10:30", false},
		{"past midnight, in the evening", "fri 22:00-02:00", "2026-03-06 23:00", true},
		{"past midnight, in the night", "fri 22:00-02:00", "2026-03-07 01:59", true},
		{"past midnight, over", "fri 22:00-02:00", "2026-03-07 02:00", false},
		{"past midnight, the night before", "fri 22:00-02:00", "2026-03-06 01:00", false},
		{"Saturday's night is Sunday's morning", "sat 22:00-02:00", "2026-03-08 01:00", true},
		{"until the end of the day", "mon 08:00-24:00", "2026-03-02 23:59", true},
		{"a part that ends at midnight", "mon 22:00-00:00", "2026-03-03 00:00", false},
		{"empty is always", "", "2026-03-01 03:00", true},
		{"the hour that does not exist is skipped", "sun 01:00-02:00", "2026-03-29 03:00", false},
		{"after the lost hour", "sun 03:00-04:00", "2026-03-29 03:00", true},
	} {
		t.Run(tc.about, func(t *testing.T) {
			s, err := ParseSchedule(tc.schedule)
			if err != nil {
				t.Fatal(err)
			}
			w, err := compileWeek(s)
			if err != nil {
				t.Fatal(err)
			}
			if got := w == nil || w.open(at(tc.at).In(rome)); got != tc.want {
				t.Errorf("%q at %s: %v", tc.schedule, tc.at, got)
			}
		})
	}
}

func TestTheHourThatComesTwiceIsOpenTwice(t *testing.T) {
	w, err := compileWeek("sun 02:00-03:00")
	if err != nil {
		t.Fatal(err)
	}
	first := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC) // 02:00 in summer time
	for i, want := range []bool{true, true, true, true, false} {
		if now := first.Add(time.Duration(i) * 30 * time.Minute).In(rome); w.open(now) != want {
			t.Errorf("at %s: %v", now, !want)
		}
	}
}

func TestWhatIsNoScheduleIsRefused(t *testing.T) {
	for _, text := range []string{
		"always", "mon", "mon 8:00-14:00", "mon 08:00", "mon 08:00-08:00", "mon 24:00-08:00", "mon 08:00-24:01", "mon 08:60-09:00", "mon 25:00-26:00",
		"xyz 08:00-14:00", "mon- 08:00-14:00", "mon,,tue 08:00-14:00", "mon 08:00-14:00 15:00-16:00", ";", "; ;", "mon 08:00–14:00", strings.Repeat("mon 08:00-09:00;", 40),
	} {
		if s, err := ParseSchedule(text); !IsCode(err, Invalid) || !strings.Contains(err.Error(), "tue,thu") {
			t.Errorf("ParseSchedule(%q) = %q, %v; want a refusal that shows how", text, s, err)
		}
	}
}
