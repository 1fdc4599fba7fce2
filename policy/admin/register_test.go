package admin

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"usciere/policy"
	"usciere/policy/letter"
	"usciere/policy/request"
)

// register is all rows that a filter takes.
func (d *desk) register(f RegisterFilter) (rows []*RegisterRow, end RegisterEnd) {
	d.t.Helper()
	end, err := d.Register(ctx(d.t), f, func(r *RegisterRow) error { rows = append(rows, r); return nil })
	if err != nil {
		d.t.Fatal(err)
	}
	return rows, end
}

// change makes changes past the socket.
func (d *desk) change(changes ...policy.Change) {
	d.t.Helper()
	if _, err := d.server.cfg.Rules.Apply(policy.Actor{Name: "capo", Via: "socket"}, changes...); err != nil {
		d.t.Fatal(err)
	}
}

// correspond has two offices ask, of which one is denied, and revokes a grant.
func (d *desk) correspond() {
	ask := func(protocol, name string) request.Submit {
		return request.Submit{Office: "tributi", Names: []string{name}, Reason: "visure, per iscritto", Paper: request.Paper{Protocol: protocol, Date: "2026-03-01"}}
	}
	style := letter.Style{Language: "it", Town: "Comune Demo"}
	d.change(
		ask("88/2026", "https://www.sister.it/a"), request.Approve{Request: 3, Until: "2026-04-30"},
		ask("89/2026", "www.giochi.it"), request.Deny{Request: 4, Reason: "non attiene al lavoro"},
		letter.Register{Letter: 1, Protocol: "501/2026", Style: style},
		policy.RevokeGrants{Grants: []policy.GrantID{3}, Reason: "non serve più", Notice: true},
		request.Submit{Office: "tributi", Names: []string{"www.x.it"}, Reason: "y", Unsigned: true},
		policy.AddGrants{Subject: policy.Subject{Office: "anagrafe"}, Names: []string{"www.y.it"}, Protocol: "7/2025", Date: "2025-12-30", Reason: "z"},
	)
}

func TestTheRegisterHasRequestsDecisionsAndNotices(t *testing.T) {
	d := open(t)
	d.correspond()
	rows, end := d.register(RegisterFilter{})
	if end.Head != d.store.Head().String() || end.Rows != len(rows) || len(rows) != 9 {
		t.Fatalf("%d rows, %+v", len(rows), end)
	}
	byID := map[string]*RegisterRow{}
	for _, r := range rows {
		byID[r.ID] = r
		if r.Subject == nil || r.Grants == nil || r.Letters == nil || r.Left == nil || r.Steps == nil {
			t.Errorf("a key without a list: %+v", r)
		}
	}
	for _, test := range []struct{ id, want string }{
		{"r-1", "request|||||connectivity|approved"},
		{"r-3", "request|88/2026|501/2026|tributi|M. Verdi|https://www.sister.it/a|approved"},
		{"r-4", "request|89/2026||tributi|M. Verdi|www.giochi.it|denied"},
		{"r-5", "request|||tributi||www.x.it|submitted"},
		{"r-6", "request|7/2025||anagrafe|M. Rossi|www.y.it|approved"},
		{"l-1", "decision|88/2026|501/2026|tributi|M. Verdi|https://www.sister.it/a|issued"},
		{"l-2", "denial|89/2026||tributi|M. Verdi|www.giochi.it|awaiting-protocol"},
		{"l-3", "revocation|88/2026||tributi|M. Verdi|www.sister.it|awaiting-protocol"},
	} {
		r := byID[test.id]
		if r == nil {
			t.Errorf("%s is missing", test.id)
			continue
		}
		if got := strings.Join([]string{r.Kind, r.ProtocolIn, r.ProtocolOut, r.Office, r.Signer, strings.Join(r.Subject, " "), r.State}, "|"); got != test.want {
			t.Errorf("%s: %s, want %s", test.id, got, test.want)
		}
	}
	r := byID["r-3"]
	if len(r.Grants) != 1 || r.Grants[0].ID != 3 || r.Grants[0].Opens != "www.sister.it" || r.Grants[0].Until != "2026-04-30" || r.Grants[0].Revoked == nil ||
		len(r.Letters) != 2 || r.Letters[1].Kind != policy.RevocationNotice || r.DecidedBy != "capo" || r.Decided == nil || r.OfficeName != "Ufficio Tributi" {
		t.Errorf("%+v", r)
	}
	if l := byID["l-2"]; l.Decision != "non attiene al lavoro" || l.Request != "r-4" || l.DecidedBy != "capo" {
		t.Errorf("%+v", l)
	}
	if l := byID["l-3"]; l.Decision != "non serve più" || len(l.Grants) != 1 {
		t.Errorf("%+v", l)
	}
}

func TestTheRegisterOfAYearAndOfAnOffice(t *testing.T) {
	d := open(t)
	d.correspond()
	for _, test := range []struct {
		filter RegisterFilter
		want   string
	}{
		{RegisterFilter{Year: "2025"}, "r-6"},
		{RegisterFilter{Year: "2024"}, ""},
		{RegisterFilter{Office: "anagrafe"}, "r-2 r-6"},
		{RegisterFilter{Office: "tributi", Year: "2026"}, "r-3 r-4 r-5 l-1 l-2 l-3"},
	} {
		rows, _ := d.register(test.filter)
		var got []string
		for _, r := range rows {
			got = append(got, r.ID)
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%+v: %s, want %s", test.filter, text, test.want)
		}
	}
	none := func(*RegisterRow) error { return nil }
	_, err := d.Register(ctx(t), RegisterFilter{Year: "26"}, none)
	mustBe(t, err, policy.Invalid, `"26" is no year`)
	_, err = d.Register(ctx(t), RegisterFilter{Office: "nessuno"}, none)
	mustBe(t, err, policy.NotFound, `no office "nessuno"`)
	d.change(policy.RemoveOffice{ID: "tributi", All: true})
	rows, _ := d.register(RegisterFilter{Office: "tributi"})
	if len(rows) != 6 || rows[0].OfficeName != "Ufficio Tributi" {
		t.Errorf("an office that is not there any more: %d rows, %+v", len(rows), rows)
	}
	stop := errors.New("enough")
	if _, err := d.Register(ctx(t), RegisterFilter{}, func(*RegisterRow) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestTheReviewOfAnOffice(t *testing.T) {
	d := open(t)
	d.correspond()
	d.change(
		policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"a.example.it"}, Protocol: "90/2026", Reason: "x", Until: "2026-05-01"},
		policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"b.example.it"}, Protocol: "91/2026", Reason: "x", Until: "2026-05-02"},
		policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"c.example.it"}, Protocol: "92/2026", Reason: "x", Until: "2026-03-02T18:00", Notice: true},
		policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"inps"}, Protocol: "93/2026", Reason: "x", From: "2026-04-01"},
		policy.AddGrants{Subject: policy.Subject{Role: policy.Server}, Names: []string{"d.example.it"}, Protocol: "94/2026", Reason: "x"},
		letter.Register{Letter: 4, Protocol: "502/2026", Style: letter.Style{Language: "it", Town: "Comune Demo"}},
	)
	r, err := d.Review(ctx(t), "tributi")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range r.Grants {
		left := "-"
		if g.DaysLeft != nil {
			left = map[bool]string{true: "soon", false: "later"}[*g.DaysLeft <= EndingDays]
		}
		got = append(got, strings.Join([]string{g.Grant.ID.String(), g.Grant.Opens(), string(g.State), string(g.Since), left, g.Request.Label, g.Request.Holder, strings.Join(g.Notices, " ")}, "|"))
	}
	want := []string{
		"g-5|a.example.it|in force|2026-03-02|soon|90/2026 of 2026-03-02|M. Verdi|",
		"g-6|b.example.it|in force|2026-03-02|later|91/2026 of 2026-03-02|M. Verdi|",
		"g-7|c.example.it|in force|2026-03-02|soon|92/2026 of 2026-03-02|M. Verdi|502/2026 of 2026-03-02",
		"g-8|service inps|to come|2026-04-01|-|93/2026 of 2026-03-02|M. Verdi|",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !reflect.DeepEqual(r.Ending, []policy.GrantID{7, 5}) {
		t.Errorf("ending: %v", r.Ending)
	}
	if len(r.Seats) != 1 || r.Seats[0].Holder.Name != "M. Verdi" || len(r.Open) != 1 || r.Open[0].ID != 5 || len(r.Common) != 2 {
		t.Errorf("%+v", r)
	}
	_, err = d.Review(ctx(t), "nessuno")
	mustBe(t, err, policy.NotFound, `no office "nessuno"`)
}

func TestTheReviewOfAllOffices(t *testing.T) {
	d := open(t)
	d.correspond()
	var offices []string
	end, err := d.ReviewAll(ctx(t), func(r *Review) error {
		offices = append(offices, r.Office.ID)
		one, err := d.Review(ctx(t), r.Office.ID)
		if err != nil {
			return err
		}
		one.Common = nil
		if !reflect.DeepEqual(one, r) {
			t.Errorf("by itself\n%+v\nwith all\n%+v", one, r)
		}
		return nil
	})
	if err != nil || end.Offices != 2 || len(end.Common) != 1 || strings.Join(offices, " ") != "anagrafe tributi" {
		t.Errorf("%v %+v %v", offices, end, err)
	}
	gone, cancel := context.WithCancel(ctx(t))
	cancel()
	if _, err := d.ReviewAll(gone, func(*Review) error { return nil }); err == nil {
		t.Error("a review that broke off passes for a whole one")
	}
}
