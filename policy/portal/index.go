package portal

import (
	"cmp"
	"sync"
	"time"

	"usciere/policy"
	"usciere/policy/request"
)

// index is what the pages ask of the requests, for one version of the rules.
type index struct {
	mu      sync.Mutex
	read    bool
	version uint64
	*known
}

// known is read from the requests and letters once a change, and not changed any more.
type known struct {
	offices map[string]*dealings
	links   map[string]policy.RequestID          // digest of the token of a one-time link
	forms   map[policy.RequestID]policy.LetterID // the printable form of a request
}

// dealings are the requests of one office that pages speak of.
type dealings struct {
	open   []*policy.Request // newest first
	asked  map[policy.Rule]*policy.Request
	denied map[policy.Rule]denial
}

// denial is when, and under which outgoing protocol number, an office was told that it does not get what it asked for.
type denial struct {
	date     policy.Moment
	protocol string // empty: the notice has none yet
}

// knownOf returns what is known under the rules of a snapshot, or later ones.
func (p *Portal) knownOf(rules *policy.Snapshot) (*known, error) {
	i := &p.known
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.read && i.version >= rules.Version() {
		return i.known, nil
	}
	err := p.cfg.Rules.View(func(r policy.Records) error {
		k, err := readKnown(r, rules.Town().Zone)
		if err == nil {
			i.read, i.version, i.known = true, r.Version(), k
		}
		return err
	})
	return i.known, err
}

func readKnown(r policy.Records, zone *time.Location) (*known, error) {
	k := &known{offices: map[string]*dealings{}, links: map[string]policy.RequestID{}, forms: map[policy.RequestID]policy.LetterID{}}
	notices := map[policy.RequestID]denial{}
	err := r.EachLetter(func(l *policy.Letter) bool {
		switch {
		case l.Kind == policy.RequestForm:
			k.forms[l.Request] = l.ID
		case (l.Kind == policy.DenialNotice || l.Kind == policy.DecisionNotice) && l.Issue != nil:
			notices[l.Request] = denial{l.Issue.Date, l.Issue.Protocol}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	offices := map[string]*policy.Office{}
	failed := r.EachRequest(func(q *policy.Request) bool {
		o, met := offices[q.Office]
		if !met {
			var there bool
			if o, there, err = r.Office(q.Office); !there {
				o = nil
			}
			offices[q.Office] = o
		}
		if o != nil && o.Owns(q) {
			k.add(q, notices, zone)
		}
		return err == nil
	})
	return k, cmp.Or(err, failed)
}

// add takes in a request; they come oldest first.
func (k *known) add(q *policy.Request, notices map[policy.RequestID]denial, zone *time.Location) {
	d := k.offices[q.Office]
	if d == nil {
		d = &dealings{asked: map[policy.Rule]*policy.Request{}, denied: map[policy.Rule]denial{}}
		k.offices[q.Office] = d
	}
	if q.State.Open() {
		d.open = append([]*policy.Request{q}, d.open...)
		for _, rule := range rulesOf(q) {
			d.asked[rule] = q
		}
		if q.Link != nil && q.State == policy.Submitted {
			k.links[q.Link.Digest] = q.ID
		}
		return
	}
	if q.State == policy.Withdrawn || q.Channel == policy.Mail {
		return
	}
	notice, told := notices[q.ID]
	if !told {
		notice.date = policy.DayOf(q.Decided, zone)
	}
	for _, rule := range rulesOf(q) {
		if q.State == policy.Denied {
			d.denied[rule] = notice
		} else {
			delete(d.denied, rule) // it was granted later
		}
	}
	for _, left := range q.Left {
		if rule, _, err := request.ParseAsked(left.What); err == nil {
			d.denied[rule] = notice
		}
	}
}

// rulesOf are the domain rules that a request for the web asks for.
func rulesOf(q *policy.Request) (rules []policy.Rule) {
	if q.Channel == policy.Mail {
		return nil
	}
	for _, text := range q.Addresses {
		if rule, _, err := request.ParseAsked(text); err == nil {
			rules = append(rules, rule)
		}
	}
	return rules
}

// covering finds what stands under the most specific rule that covers a name.
func covering[V any](m map[policy.Rule]V, name policy.Name) (v V, ok bool) {
	if len(m) == 0 {
		return v, false
	}
	if v, ok = m[policy.Rule{Kind: policy.Exact, Name: name}]; ok {
		return v, true
	}
	for n := name; n != policy.Root; n = n.Parent() {
		for _, kind := range []policy.RuleKind{policy.Tree, policy.Below} {
			if v, ok = m[policy.Rule{Kind: kind, Name: n}]; ok && (kind == policy.Tree || n != name) {
				return v, true
			}
		}
	}
	return v, false
}
