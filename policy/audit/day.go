package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// Ask reads a journal's export to its end and answers. noted is a head that it must run through; the zero one when none was
// noted. An entry that was changed, cut out or moved is named by a *journal.BadEntryError, and nothing is answered.
func Ask(export io.Reader, noted journal.Head, q Question) (*Answer, error) {
	d, err := newDay(q)
	if err != nil {
		return nil, err
	}
	head, entries, err := journal.ReadStream(export, noted, d.entry)
	if err != nil {
		return nil, err
	}
	if err := d.settle(); err != nil {
		return nil, err
	}
	return d.answer(head, entries)
}

// day follows the rules through one day.
//
// An entry counts from its time to that of the next one. Where the clock was set back between two entries, what the
// former ones made counts until the time of the later one, since that was made after them.
type day struct {
	Question
	from, end time.Time
	town      policy.Town
	rules     *Rules
	points    []point
	pending   time.Time // the point at which the entries read last count; zero: none
	stale     bool      // they changed what a decision rests on, and were not compiled
	compiled  *policy.Snapshot
	seats     map[string]*seatKnown
	first     time.Time
	last      time.Time
	lastSeq   uint64
	notes     []string
	partial   bool // a note says that something is missing
	known     bool // the office was met
}

// point is an instant of the day from which rules counted.
type point struct {
	at    time.Time
	rules *policy.Snapshot
}

// seatKnown is what the journal says of who held a seat on the day, and since which entry.
type seatKnown struct {
	seat   policy.Seat
	holder policy.Holder
	held   bool
	gone   bool // the seat was removed since
	at     time.Time
	seq    uint64
}

func newDay(q Question) (*day, error) {
	if _, err := policy.ParseDay(string(q.Day)); err != nil {
		return nil, err
	}
	everywhere := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	return &day{
		Question: q, from: q.Day.Start(q.Zone), end: q.Day.End(q.Zone), town: policy.Town{Site: everywhere, Zone: q.Zone},
		rules: NewRules(q.Office), seats: map[string]*seatKnown{},
	}, nil
}

// entry takes in the next entry.
func (d *day) entry(e journal.Entry) error {
	at := e.Time
	if at.Before(d.from) {
		at = d.from
	}
	if !at.Equal(d.pending) {
		if err := d.settle(); err != nil {
			return err
		}
	}
	if d.lastSeq == 0 {
		d.first = e.Time
	} else {
		d.lookBack(e)
	}
	d.rules.Apply(e)
	for _, p := range d.rules.touched {
		switch p.table {
		case policy.TableOffices:
			d.known = d.known || p.key == d.Office
			d.stale = true
		case policy.TableSeats:
			d.learn(p.key, e)
			d.stale = true
		case policy.TableHosts, policy.TableTokens, policy.TableServices, policy.TableGrants:
			d.stale = true
		}
	}
	if at.Before(d.end) {
		d.pending = at
	}
	d.last, d.lastSeq = e.Time, e.Seq
	return nil
}

// settle compiles what the entries at the pending point made.
func (d *day) settle() error {
	if d.pending.IsZero() {
		return nil
	}
	if d.stale || d.compiled == nil {
		next, err := d.rules.Compile(d.town)
		if err != nil {
			return err
		}
		d.compiled, d.stale = next, false
	}
	for n := len(d.points); n > 0 && !d.points[n-1].at.Before(d.pending); n-- {
		d.points = d.points[:n-1]
	}
	d.points = append(d.points, point{d.pending, d.compiled})
	d.pending = time.Time{}
	return nil
}

// lookBack notes what the step from the last entry to this one leaves unsaid.
func (d *day) lookBack(e journal.Entry) {
	zone := d.Zone
	if d.last.Sub(e.Time) >= time.Second && e.Time.Before(d.end) && d.last.After(d.from) {
		d.note(true, "the clock was set back between the journal's entries %d (%s) and %d (%s)",
			d.lastSeq, stamp(d.last, zone), e.Seq, stamp(e.Time, zone))
	}
	if e.Kind != "store.restore" || !d.last.Before(d.end) || !e.Time.After(d.from) {
		return
	}
	var body struct {
		Head     journal.Head  `json:"head"`
		Replaced *journal.Head `json:"replaced"`
		Kept     string        `json:"kept"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil {
		d.note(true, "entry %d put a backup back, and does not say what it replaced", e.Seq)
		return
	}
	if body.Replaced != nil && *body.Replaced == body.Head || body.Replaced == nil && body.Kept == "" {
		return
	}
	kept := ""
	if body.Kept != "" {
		kept = "; the store that was there is kept as " + body.Kept
	}
	d.note(true, "entry %d put a backup back on %s: what was changed between %s and then is not in this journal%s",
		e.Seq, stamp(e.Time, zone), stamp(d.last, zone), kept)
}

func (d *day) note(partial bool, format string, args ...any) {
	d.partial = d.partial || partial
	if len(d.notes) < maxPuzzles {
		d.notes = append(d.notes, fmt.Sprintf(format, args...))
	}
}

// learn notes who held a seat on the day, when an entry says something else than those before it.
func (d *day) learn(id string, e journal.Entry) {
	known := d.seats[id]
	var s policy.Seat
	if ok, err := d.rules.Get(policy.TableSeats, id, &s); !ok || err != nil {
		if known != nil {
			known.gone = true
		}
		return
	}
	h, held := s.HolderOn(d.Day)
	switch {
	case known == nil:
		d.seats[id] = &seatKnown{seat: s, holder: h, held: held, at: e.Time, seq: e.Seq}
		return
	case known.gone && !held: // made anew, for another time
		return
	case held != known.held || h.Name != known.holder.Name:
		known.at, known.seq = e.Time, e.Seq
	}
	known.seat, known.holder, known.held, known.gone = s, h, held, false
}

func stamp(t time.Time, zone *time.Location) string { return t.In(zone).Format("2006-01-02 15:04") }
