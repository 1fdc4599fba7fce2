package officeload

import (
	"math/rand/v2"
	"time"
)

// The day of a workstation. Its sum is below 5,000 questions, which is what vendors of resolvers plan a user and day with at most (Cisco
// Umbrella, DNSFilter), and about four fifths of them are in nine hours.
const (
	pagesADay     = 45              // times 25 names and 3 types: the greater part of the 5,000
	chatterEvery  = 5 * time.Minute // assumed; with it a fifth of the day's questions are outside the office's hours
	policyEvery   = 105 * time.Minute
	policyBetween = 15 * time.Minute // Group Policy: every 90 minutes and up to 30 more (Microsoft, "Group Policy refresh interval for computers")
)

// Everyone logs on in this half hour, most of them in the middle of it: the hours of the clock in a town hall.
var logonFrom, logonTo = Clock(7, 45), Clock(8, 15)

// presence weighs the pages by the hour: mornings are for the public, lunch is at half past one, few stay for the afternoon. Assumed.
var presence = [24]float64{7: 0.3, 8: 1.0, 9: 1.3, 10: 1.4, 11: 1.3, 12: 1.1, 13: 0.6, 14: 0.5, 15: 0.7, 16: 0.6, 17: 0.3, 18: 0.1}

var presenceSum = func() (sum float64) {
	for _, w := range presence {
		sum += w
	}
	return sum
}()

// session is a time at which a workstation begins to ask, and what for.
type session struct {
	at   time.Duration // of the day
	what activity
	seed uint64
}

type activity uint8

const (
	logon activity = iota
	page
	chat
	refresh // of Group Policy
)

// longest is how long after a session's begin its last question can come.
const longest = 3 * time.Second

// sessions calls f with each session of a workstation's day, in no order.
func (t *Town) sessions(s *Station, f func(session)) {
	source := rand.NewPCG(t.seed, 1+uint64(s.number))
	r := rand.New(source)
	add := func(at time.Duration, what activity) { f(session{at, what, r.Uint64()}) }
	// Two dice make the middle of the half hour likelier.
	logsOn := logonFrom + time.Duration((r.Float64()+r.Float64())/2*float64(logonTo-logonFrom))
	add(logsOn, logon)
	for range pagesADay {
		at := hour(r)
		if at < logsOn+time.Minute { // whoever comes opens the first pages in the quarter of an hour that follows
			at = logsOn + time.Minute + time.Duration(r.Int64N(int64(15*time.Minute)))
		}
		add(at, page)
	}
	for at := time.Duration(r.Int64N(int64(chatterEvery))); at < 24*time.Hour; at += chatterEvery {
		add(at, chat)
	}
	for at := time.Duration(r.Int64N(int64(policyEvery))); at < 24*time.Hour; {
		add(at, refresh)
		at += policyEvery + time.Duration((r.Float64()*2-1)*float64(policyBetween))
	}
}

// hour draws a time of the day by presence.
func hour(r *rand.Rand) time.Duration {
	left := r.Float64() * presenceSum
	for h, w := range presence {
		if left < w {
			return time.Duration((float64(h) + left/w) * float64(time.Hour))
		}
		left -= w
	}
	return Clock(18, 59)
}

// asker turns a session into questions.
type asker struct {
	town    *Town
	station *Station
	r       *rand.Rand
	fresh   uint64 // sets the first-time names of one playing of the day apart from those of another
	emit    func(after time.Duration, q *Question)
}

func (a *asker) ask(what activity) {
	switch what {
	case logon:
		a.logon()
	case page:
		a.page()
	case chat:
		a.chat()
	case refresh:
		a.controllers(0)
	}
}

// A page.
const (
	pageLeast, pageMost = 10, 40 // names: what resolvers are planned for
	blockedShare        = 0.30   // of names: the mix that resolvers are compared with elsewhere in bench
	closedShare         = 0.10   // of those: granted, but to other offices. Assumed
	coldShare           = 0.02   // of names: never asked before. Assumed
	between             = 100 * time.Microsecond
)

// page asks for the name of the page, then for what its head names, then for what that loads.
func (a *asker) page() {
	n := pageLeast + a.r.IntN(pageMost-pageLeast+1)
	head := a.millis(50, 250)
	rest := head + a.millis(100, 600)
	for i := range n {
		var at time.Duration
		switch {
		case i > n/2:
			at = rest + a.millis(0, 30)
		case i > 0:
			at = head + a.millis(0, 20)
		}
		a.web(at, a.name(i == 0))
	}
}

// web asks the questions of a browser.
func (a *asker) web(at time.Duration, questions [len(webTypes)]*Question) {
	for i, q := range questions {
		a.emit(at+time.Duration(i)*between, q)
	}
}

// name draws a name that a page asks for; the page's own is granted.
func (a *asker) name(own bool) [len(webTypes)]*Question {
	o := a.station.Office
	switch dice := a.r.Float64(); {
	case own:
	case dice < blockedShare*closedShare:
		return o.closed[a.r.IntN(len(o.closed))].blocked
	case dice < blockedShare:
		return a.town.blocked[a.town.blockLaw.draw(a.r)].blocked
	case dice < blockedShare+coldShare:
		return a.town.cold(a.station, a.r, a.fresh, Cold)
	}
	return o.reach[a.town.reachLaw.draw(a.r)].granted
}

func (a *asker) millis(from, to int) time.Duration {
	return time.Duration(from)*time.Millisecond + time.Duration(a.r.Int64N(int64(to-from)*int64(time.Millisecond)))
}
