package testbed

import (
	"net/netip"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/store"
)

func TestATownAnswersItsQuestionsAsTheyWereDrawn(t *testing.T) {
	for _, tc := range []struct {
		name    string
		town    Town
		clients int
	}{
		{"few rules, many offices", Town{Rules: 30, Offices: 60, Services: 2}, 30},
		{"one office", Town{Rules: 700, Offices: 1}, 1},
		{"more clients than networks", Town{Rules: 1000, Offices: 20, Services: 3}, 300},
	} {
		t.Run(tc.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := tc.town.Build(folder); err != nil {
				t.Fatal(err)
			}
			kept, err := store.Open(folder, store.Options{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			defer kept.Close()
			live, err := policy.Open(kept, policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Zone: time.UTC}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			rules, allowed, questions := live.Snapshot(), 0, tc.town.Questions(tc.clients)
			for _, q := range questions {
				client := rules.Who(q.From, time.Now())
				if client.Office == nil {
					t.Fatalf("%s is in no office", q.From)
				}
				name, err := policy.ParseName(q.Name)
				if err != nil {
					t.Fatal(err)
				}
				if rules.Decide(&client, []byte(name), policy.TypeA, time.Now()).Action == policy.Allow {
					allowed++
				}
			}
			if allowed*100 != len(questions)*70 {
				t.Errorf("%d of %d questions are allowed; want 70 %%", allowed, len(questions))
			}
		})
	}
}
