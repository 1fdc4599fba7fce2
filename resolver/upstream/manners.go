package upstream

import "time"

const (
	// A server that was found to change the case of names is asked in lower case for caseMemory, one that was found not to
	// know EDNS without it for ednsMemory; then it may have been replaced by a better one.
	caseMemory = 24 * time.Hour
	ednsMemory = time.Hour

	// maxCaseChanges is how often a server may change the case of a name: once may be an accident on the way.
	maxCaseChanges = 2
)

// manners is what a server was found not to know.
type manners struct {
	sameCase    bool // by the settings
	caseChanges int
	caseUntil   time.Time // asked in lower case until then
	ednsUntil   time.Time // asked without EDNS until then
}

// mixes says whether the server is asked in mixed case.
func (m *manners) mixes(now time.Time) bool { return !m.sameCase && !now.Before(m.caseUntil) }

// edns says whether the server is asked with EDNS.
func (m *manners) edns(now time.Time) bool { return !now.Before(m.ednsUntil) }

// caseChanged notes that the server itself changed the case of a name. It says whether that was once too often.
func (m *manners) caseChanged(now time.Time) bool {
	if m.caseChanges++; m.caseChanges < maxCaseChanges {
		return false
	}
	m.caseChanges, m.caseUntil = 0, now.Add(caseMemory)
	return true
}

// manner is how one query is put.
type manner struct{ edns, mixed bool }

func (s *server) manner(now time.Time) manner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return manner{edns: s.manners.edns(now), mixed: s.manners.mixes(now)}
}

// caseChanged notes a reply over TCP with the case of the name changed. Over UDP it proves nothing: a forger who guessed all but
// the case would turn off what keeps him out.
func (s *server) caseChanged(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manners.caseChanged(now)
}

// noEDNS notes that the server answered without EDNS what it had refused with it (RFC 6891 §7).
func (s *server) noEDNS(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manners.ednsUntil = now.Add(ednsMemory)
}
