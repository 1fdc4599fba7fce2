package policy

import "time"

// MayEnd says whether grants may end after one instant and not after another. False is certain; true may be owed to grants
// that are gone already. It is quick, where reading all grants is not.
func (s *Snapshot) MayEnd(after, until time.Time) bool {
	for i := range s.conds {
		if end := s.conds[i].span.until; end.After(after) && !end.After(until) {
			return true
		}
	}
	return false
}
