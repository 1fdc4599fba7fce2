package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Schedule is a weekly timetable in the town's time zone, such as "mon-fri 08:00-14:00; tue,thu 14:30-17:30". A part that
// ends before it begins runs past midnight. Empty means always.
type Schedule string

// week is a compiled schedule: the open parts of each day in minutes from midnight; index 0 is Sunday (time.Weekday).
type week [7][]minutes

type minutes struct{ from, to int } // to is exclusive; 1440 is the end of the day

// dayNames maps English and Italian abbreviations to weekdays.
var dayNames = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
	"dom": time.Sunday, "lun": time.Monday, "mar": time.Tuesday, "mer": time.Wednesday, "gio": time.Thursday, "ven": time.Friday, "sab": time.Saturday,
}

const scheduleHint = "write it as \"mon-fri 08:00-14:00; tue,thu 14:30-17:30\", in the town's time"

// ParseSchedule checks a timetable.
func ParseSchedule(text string) (Schedule, error) {
	text = strings.TrimSpace(text)
	if len(text) > 500 {
		return "", invalid(scheduleHint, "the schedule is %d characters long: 500 are the most", len(text))
	}
	if _, err := compileWeek(Schedule(text)); err != nil {
		return "", invalid(scheduleHint, "schedule %q: %v", shorten(text), err)
	}
	return Schedule(text), nil
}

// UnmarshalText reads a timetable.
func (s *Schedule) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSchedule(string(text))
	return err
}

func compileWeek(s Schedule) (*week, error) {
	if s == "" {
		return nil, nil
	}
	var w week
	some := false
	for _, part := range strings.Split(string(s), ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		days, hours, ok := strings.Cut(part, " ")
		if !ok {
			return nil, fmt.Errorf("%q has no days or no hours", part)
		}
		some = true
		open, err := parseDays(days)
		if err != nil {
			return nil, err
		}
		from, to, err := parseHours(strings.TrimSpace(hours))
		if err != nil {
			return nil, err
		}
		for day, isOpen := range open {
			switch {
			case !isOpen:
			case from < to:
				w[day] = append(w[day], minutes{from, to})
			default:
				w[day] = append(w[day], minutes{from, 24 * 60})
				next := (day + 1) % 7
				w[next] = append(w[next], minutes{0, to})
			}
		}
	}
	if !some {
		return nil, errors.New("it has no hours")
	}
	return &w, nil
}

// parseDays reads "mon", "mon,wed" or "mon-fri", or a list of such.
func parseDays(text string) (open [7]bool, err error) {
	for _, item := range strings.Split(strings.ToLower(text), ",") {
		first, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = first
		}
		a, ok1 := dayNames[first]
		b, ok2 := dayNames[last]
		if !ok1 || !ok2 {
			return open, fmt.Errorf("%q is no day of the week", item)
		}
		for d := a; ; d = (d + 1) % 7 {
			open[d] = true
			if d == b {
				break
			}
		}
	}
	return open, nil
}

// parseHours reads "08:00-14:00"; the end may be 24:00.
func parseHours(text string) (from, to int, err error) {
	a, b, ok := strings.Cut(text, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q are no hours", text)
	}
	if from, err = parseMinute(a); err != nil {
		return 0, 0, err
	}
	if to, err = parseMinute(b); err != nil {
		return 0, 0, err
	}
	if from == to || from == 24*60 {
		return 0, 0, fmt.Errorf("%q is no stretch of time", text)
	}
	return from, to, nil
}

func parseMinute(text string) (int, error) {
	var h, m int
	if len(text) != 5 || text[2] != ':' {
		return 0, fmt.Errorf("%q is no time of day", text)
	}
	for i, c := range []byte(text) {
		if i != 2 && (c < '0' || c > '9') {
			return 0, fmt.Errorf("%q is no time of day", text)
		}
	}
	h, m = int(text[0]-'0')*10+int(text[1]-'0'), int(text[3]-'0')*10+int(text[4]-'0')
	if m > 59 || h*60+m > 24*60 {
		return 0, fmt.Errorf("%q is no time of day", text)
	}
	return h*60 + m, nil
}

// open says whether the timetable is open at t, which is in the town's zone. It allocates nothing.
func (w *week) open(t time.Time) bool {
	now := t.Hour()*60 + t.Minute()
	for _, part := range w[t.Weekday()] {
		if part.from <= now && now < part.to {
			return true
		}
	}
	return false
}
