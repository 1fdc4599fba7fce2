package upstream

import "time"

const (
	// A server that fell silent is asked after the others, and its recovery is tried after firstPause, then after twice as
	// long each time up to longestPause: long enough that a dead server costs little, short enough that its restart is
	// noticed soon.
	firstPause   = 5 * time.Second
	longestPause = 60 * time.Second

	// maxBlames is how many questions in a row a server may reply to without an answer while another one answers them, before
	// it goes behind the others: single names do fail at one server only, such as those whose signatures only that one checks.
	maxBlames = 3

	// figureAge is how long a smoothed round-trip time is believed without a new measurement.
	figureAge = time.Minute
)

// standing is what is known of one server's fitness. A server that is benched is still asked, after all others.
type standing struct {
	benched bool
	mute    bool          // it was benched for silence: any reply is its recovery; otherwise it takes an answer
	since   time.Time     // when it was benched, or recovered; zero when it has been fit from the start
	pause   time.Duration // between tries of its recovery
	retryAt time.Time     // when its recovery may be tried
	trying  bool          // it is being tried
	heard   time.Time     // the last reply
	blames  int           // failures in a row at questions that another server answered

	srtt     time.Duration // smoothed round-trip time; 0: none yet
	measured time.Time     // when it was measured, or a measurement was begun
}

// answered notes an answer to a question asked at askedAt. It says whether that was the server's recovery.
func (s *standing) answered(rtt time.Duration, askedAt, now time.Time) bool {
	recovered := s.recover(askedAt, now)
	s.measure(rtt, now)
	s.heard, s.blames = now, 0
	return recovered
}

// replied notes a reply, whatever it says. It says whether that was the recovery of a silent server.
func (s *standing) replied(askedAt, now time.Time) bool {
	s.heard = now
	return s.mute && s.recover(askedAt, now)
}

// failed notes a reply that is no answer, to a question asked at askedAt, as replied does.
func (s *standing) failed(askedAt, now time.Time) bool {
	if s.benched && !s.mute {
		s.bench(askedAt, now)
	}
	return s.replied(askedAt, now)
}

// unheard notes that no reply came to a question asked at askedAt. A server that replied to another question meanwhile is only slow
// to find this one's answer. It says whether the server was benched now.
func (s *standing) unheard(askedAt, now time.Time) bool {
	if !s.heard.IsZero() && !s.heard.Before(askedAt) {
		return false
	}
	s.mute = true
	return s.bench(askedAt, now)
}

// blamed notes that another server answered what this one had no answer to. It says whether the server was benched now.
func (s *standing) blamed(askedAt, now time.Time) bool {
	if s.blames++; s.blames < maxBlames || s.benched {
		return false
	}
	s.mute = false
	return s.bench(askedAt, now)
}

// bench puts the server behind the others, or keeps it there: a failure of what was asked before the end of its pause says
// nothing new, a later one doubles the pause.
func (s *standing) bench(askedAt, now time.Time) bool {
	switch {
	case !s.benched:
		s.benched, s.since, s.pause = true, now, firstPause
		s.retryAt = now.Add(s.pause)
		return true
	case !askedAt.Before(s.retryAt):
		s.pause = min(2*s.pause, longestPause)
		s.retryAt = now.Add(s.pause)
	}
	return false
}

// recover ends the bench, if the question was asked after it began: the last words of a dying server may be read late.
func (s *standing) recover(askedAt, now time.Time) bool {
	if !s.benched || askedAt.Before(s.since) {
		return false
	}
	s.benched, s.mute, s.since, s.blames = false, false, now, 0
	s.srtt, s.measured = 0, time.Time{} // of another time
	return true
}

// claim says whether the caller may try the server's recovery: one at a time, each after its pause.
func (s *standing) claim(now time.Time) bool {
	if !s.benched || s.trying || now.Before(s.retryAt) {
		return false
	}
	s.trying = true
	return true
}

// measure smooths a round-trip time as RFC 6298 §2 does.
func (s *standing) measure(rtt time.Duration, now time.Time) {
	if s.srtt == 0 {
		s.srtt = rtt
	} else {
		s.srtt += (rtt - s.srtt) / 8
	}
	s.measured = now
}

// stale says whether the round-trip time is to be measured again.
func (s *standing) stale(now time.Time) bool {
	return s.measured.IsZero() || now.Sub(s.measured) >= figureAge
}
