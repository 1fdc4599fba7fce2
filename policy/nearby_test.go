package policy

import (
	"slices"
	"testing"
)

func TestNearbyNamesWhoElseHasIt(t *testing.T) {
	town := emptyTown(t)
	for i, id := range []string{"anagrafe", "cultura", "tributi"} {
		town.do(
			AddOffice{ID: id, Name: id, Networks: prefixes([]string{"10.20.1.0/24", "10.20.2.0/24", "10.20.3.0/24"}[i])},
			AddSeat{ID: "dirigente-" + id, Office: id, Holder: "M. Rossi", From: "2025-09-01"},
		)
	}
	give := func(to Subject, until Moment, names ...string) {
		town.do(AddGrants{Subject: to, Names: names, Until: until, Protocol: nextProtocol(), Reason: "prova"})
	}
	give(Subject{Office: "anagrafe"}, "", ".inps.it")
	give(Subject{Office: "tributi"}, "2026-03-10", "www.inps.it")
	give(Subject{Role: Server}, "", "update.example.it")
	give(Subject{Everyone: true}, "", "www.example.it")

	for _, test := range []struct {
		about, question, when string
		max                   int
		want                  []string
	}{
		{"every office that has it", "www.inps.it", "2026-03-02 10:00", 3, []string{"anagrafe .inps.it", "tributi www.inps.it"}},
		{"no more than asked for", "www.inps.it", "2026-03-02 10:00", 1, []string{"anagrafe .inps.it"}},
		{"not what is over", "www.inps.it", "2026-04-02 10:00", 3, []string{"anagrafe .inps.it"}},
		{"a role's", "update.example.it", "2026-03-02 10:00", 3, []string{"role server update.example.it"}},
		{"everyone's once, not once an office", "www.example.it", "2026-03-02 10:00", 3, []string{"everyone www.example.it"}},
		{"nobody", "www.example.com", "2026-03-02 10:00", 3, nil},
	} {
		t.Run(test.about, func(t *testing.T) {
			n := []byte(name(test.question))
			var got []string
			for _, v := range town.Snapshot().Nearby(n, TypeA, at(test.when), test.max) {
				got = append(got, v.Subject.String()+" "+v.Rule(n).String())
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestTheMailDomainIsWhatAMailGrantNames(t *testing.T) {
	for _, test := range []struct {
		question string
		typ      Type
		want     string
	}{
		{"example.it", TypeMX, "example.it"},
		{"_imaps._tcp.example.it", TypeSRV, "example.it"},
		{"autodiscover.example.it", TypeA, "example.it"},
		{"www.example.it", TypeA, ""},
	} {
		domain, ok := MailDomain([]byte(name(test.question)), test.typ)
		if ok != (test.want != "") || ok && domain.String() != test.want {
			t.Errorf("%s %s: %s %v, want %q", test.question, test.typ, domain, ok, test.want)
		}
	}
}
