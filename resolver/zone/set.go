package zone

// Set is an immutable collection of zones, searched by name.
type Set struct {
	chains map[string][]*Zone // by origin, in canonical wire form: the zones of that origin, then those above it
	above  map[string]bool    // names above an origin that exists
}

// NewSet collects zones. Several may have one origin (for different offices): they are found in the order given.
func NewSet(zones ...*Zone) *Set {
	s := &Set{chains: make(map[string][]*Zone, len(zones)), above: map[string]bool{}}
	for _, z := range zones {
		s.chains[string(z.apex)] = append(s.chains[string(z.apex)], z)
		for up := z.apex; len(up) > 1 && z.nodes[string(z.apex)] != nil; {
			up = parent(up)
			s.above[string(up)] = true
		}
	}
	whole := make(map[string][]*Zone, len(s.chains))
	for origin, own := range s.chains {
		chain := own
		for up := []byte(origin); len(up) > 1; {
			up = parent(up)
			chain = append(chain[:len(chain):len(chain)], s.chains[string(up)]...)
		}
		whole[origin] = chain
	}
	s.chains = whole
	return s
}

// StandsAbove says whether the origin of a zone lies below a name (canonical wire form), so that the name exists (RFC 8020).
func (s *Set) StandsAbove(name []byte) bool { return s.above[string(name)] }

// Find returns the zones whose origin is name (canonical wire form) or stands above it, the most specific first. The caller
// must not change the slice, and decides which of them its client may see.
func (s *Set) Find(name []byte) []*Zone {
	if len(s.chains) == 0 {
		return nil
	}
	for {
		if chain := s.chains[string(name)]; chain != nil {
			return chain
		}
		if len(name) <= 1 {
			return nil
		}
		name = parent(name)
	}
}
