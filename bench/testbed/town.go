package testbed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"usciere/policy"
	"usciere/policy/store"
)

// Town is a town of many rules: each domain rule granted to one office, one in five a subtree, 2 to 4 labels, 18 octets on average; ten
// networks an office; services of five rules each that everyone has.
type Town struct {
	Rules, Offices, Services int
}

const networksEach = 10

// Office is the id of an office.
func Office(i int) string { return fmt.Sprintf("ufficio-%d", i) }

// Client is a workstation of an office, in one of its networks. On Linux every 127.x.y.z is this machine.
func (t Town) Client(i int) (addr netip.Addr, office int) {
	network := i % (t.Offices * networksEach)
	return t.network(network).Addr().Next(), network % t.Offices
}

func (t Town) network(i int) netip.Prefix {
	const first = 16 // 127.16.0.0: not where servers and load are
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(first + i>>8), byte(i), 0}), 24)
}

// Rule is the nth rule of an office; no two offices have the same.
func (t Town) Rule(office, n int) string {
	switch number := n*t.Offices + office; number % 5 {
	case 0:
		return fmt.Sprintf(".d%06d.example", number)
	case 1:
		return fmt.Sprintf("www.d%06d.example", number)
	case 2:
		return fmt.Sprintf("h%d.d%06d.example", number%100, number)
	case 3:
		return fmt.Sprintf("a.h%d.d%06d.example", number%100, number)
	default:
		return fmt.Sprintf("d%06d.example", number)
	}
}

// Name is a name that the nth rule of an office opens.
func (t Town) Name(office, n int) string {
	rule := t.Rule(office, n)
	if rule[0] == '.' {
		return "www" + rule
	}
	return rule
}

// rulesOf is the number of rules of an office.
func (t Town) rulesOf(office int) int { return (t.Rules - office + t.Offices - 1) / t.Offices }

var builder = policy.Actor{Name: "bench", Via: "system"}

// Build makes a store of the town in a state folder.
func (t Town) Build(folder string) (err error) {
	kept, err := store.Open(folder, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	live, err := policy.Open(kept, policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Zone: time.UTC}, time.Now)
	if err != nil {
		return err
	}
	const together = 20_000 // rules a transaction
	var changes []policy.Change
	rules := 0
	for i := range t.Offices {
		changes = append(changes, t.office(i)...)
		if rules += t.rulesOf(i); rules >= together || i == t.Offices-1 {
			if _, err := live.Apply(builder, changes...); err != nil {
				return err
			}
			changes, rules = nil, 0
		}
	}
	if t.Services == 0 {
		return nil
	}
	_, err = live.Apply(builder, t.services()...)
	return err
}

// office is an office with its networks, its manager's seat and its grants, on one letter.
func (t Town) office(i int) []policy.Change {
	id := Office(i)
	o := policy.AddOffice{ID: id, Name: "Ufficio"}
	for n := i; n < t.Offices*networksEach; n += t.Offices {
		o.Networks = append(o.Networks, t.network(n))
	}
	changes := []policy.Change{o, policy.AddSeat{ID: "dirigente-" + id, Office: id, Holder: "M. Rossi"}}
	var rules []string
	for n := range t.rulesOf(i) {
		rules = append(rules, t.Rule(i, n))
	}
	for letter := range slices.Chunk(rules, 10_000) { // as many as a change may have
		changes = append(changes, policy.AddGrants{Subject: policy.Subject{Office: id}, Names: letter, Reason: "town of many rules",
			Protocol: fmt.Sprintf("%d/2026", len(changes)*10_000+i)})
	}
	return changes
}

// services are those of everyone.
func (t Town) services() []policy.Change {
	var changes []policy.Change
	all := policy.AddGrants{Subject: policy.Subject{Everyone: true}, Reason: "for everyone", Protocol: "1/2025"}
	for i := range t.Services {
		s := policy.AddService{ID: fmt.Sprintf("servizio-%d", i), Title: "Servizio"}
		for n := range 5 {
			rule, _, err := policy.ParseRule(fmt.Sprintf(".s%d.servizio%d.example", n, i))
			if err != nil {
				panic(err) // of a constant
			}
			s.Rules = append(s.Rules, policy.ServiceRule{Rule: rule, Source: "bench"})
		}
		changes, all.Names = append(changes, s), append(all.Names, s.ID)
	}
	return append(changes, all)
}

// Question is what a workstation asks.
type Question struct {
	From netip.Addr
	Name string
}

// Questions are the warm mix of the first clients, 70 % for names granted to the client's office and 30 % for others, with about 500
// granted names whatever the town: the same load for the answer cache, so that what differs is the rules.
func (t Town) Questions(clients int) []Question {
	const questions, allowed, names = 10_000, 70, 500
	rng := rand.New(rand.NewPCG(4, 5))
	each := max(1, names/min(clients, t.Offices))
	out := make([]Question, questions)
	for i := range out {
		from, office := t.Client(rng.IntN(clients))
		out[i] = Question{from, Blocked(rng.IntN(names))}
		if i%100 < allowed {
			out[i].Name = t.Name(office, rng.IntN(min(each, t.rulesOf(office))))
		}
	}
	rng.Shuffle(questions, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
