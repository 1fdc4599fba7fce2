package policy

import "time"

// Moment is a day ("2027-06-30") or a minute of a day ("2027-06-30T18:00") by the town's own clock, kept as it was written
// in the letter. Empty means none.
type Moment string

const (
	dayLayout    = "2006-01-02"
	minuteLayout = "2006-01-02T15:04"
)

// ParseMoment reads a day or a minute; a space may stand for the T.
func ParseMoment(text string) (Moment, error) {
	if len(text) == len(minuteLayout) && text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	for _, layout := range []string{dayLayout, minuteLayout} {
		if _, err := time.Parse(layout, text); err == nil && len(text) == len(layout) { // Parse takes 9:04 for 09:04
			return Moment(text), nil
		}
	}
	return "", invalid("write a day as 2027-06-30, a minute as 2027-06-30T18:00", "%q is no date", shorten(text))
}

// ParseDay reads a day.
func ParseDay(text string) (Moment, error) {
	m, err := ParseMoment(text)
	if err != nil || len(m) != len(dayLayout) {
		return "", invalid("write it as 2027-06-30", "%q is no day", shorten(text))
	}
	return m, nil
}

// DayOf is the day of an instant in the town's time zone.
func DayOf(t time.Time, zone *time.Location) Moment { return Moment(t.In(zone).Format(dayLayout)) }

// UnmarshalText reads a moment; the empty text is none.
func (m *Moment) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*m = ""
		return nil
	}
	*m, err = ParseMoment(string(text))
	return err
}

// Start is the instant from which something dated from m holds; the zero time when m is empty.
func (m Moment) Start(zone *time.Location) time.Time {
	if m == "" {
		return time.Time{}
	}
	layout := minuteLayout
	if len(m) == len(dayLayout) {
		layout = dayLayout
	}
	t, err := time.ParseInLocation(layout, string(m), zone)
	if err != nil {
		return time.Time{}
	}
	return t
}

// End is the first instant at which something dated until m holds no more: a day is counted whole. The zero time when m
// is empty.
func (m Moment) End(zone *time.Location) time.Time {
	t := m.Start(zone)
	if len(m) == len(dayLayout) {
		return t.AddDate(0, 0, 1)
	}
	return t
}

// DayBefore is the day before the day of m.
func (m Moment) DayBefore() Moment {
	t, err := time.Parse(dayLayout, string(m)[:min(len(m), len(dayLayout))])
	if err != nil {
		return ""
	}
	return Moment(t.AddDate(0, 0, -1).Format(dayLayout))
}

// span is a time from (inclusive) until (exclusive); a zero end is open.
type span struct{ from, until time.Time }

func (s span) holds(t time.Time) bool {
	return !t.Before(s.from) && (s.until.IsZero() || t.Before(s.until))
}

func spanOf(from, until Moment, zone *time.Location) span {
	return span{from.Start(zone), until.End(zone)}
}
