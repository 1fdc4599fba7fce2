package admin

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"reflect"
	"testing"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/letter"
	"usciere/policy/request"
	"usciere/policy/town"
)

// everyCommand is a call of each route's method that succeeds on the town of open, in an order in which all do.
var everyCommand = []struct {
	path string
	call func(context.Context, *Client) (any, error)
}{
	{"/v1/status", func(ctx context.Context, c *Client) (any, error) { return c.Status(ctx) }},
	{"/v1/office/add", func(ctx context.Context, c *Client) (any, error) {
		return c.AddOffice(ctx, policy.AddOffice{ID: "cultura", Name: "Cultura"})
	}},
	{"/v1/office/change", func(ctx context.Context, c *Client) (any, error) {
		mailbox := "cultura@comune.example.it"
		return c.ChangeOffice(ctx, policy.ChangeOffice{ID: "cultura", Mailbox: &mailbox})
	}},
	{"/v1/office/list", func(ctx context.Context, c *Client) (any, error) { return c.Offices(ctx) }},
	{"/v1/office/show", func(ctx context.Context, c *Client) (any, error) { return c.Office(ctx, "anagrafe") }},
	{"/v1/network/add", func(ctx context.Context, c *Client) (any, error) {
		return c.AddNetwork(ctx, policy.AddNetwork{Office: "cultura", Network: netip.MustParsePrefix("10.20.3.0/24")})
	}},
	{"/v1/network/list", func(ctx context.Context, c *Client) (any, error) { return c.Networks(ctx) }},
	{"/v1/network/remove", func(ctx context.Context, c *Client) (any, error) {
		return c.RemoveNetwork(ctx, policy.RemoveNetwork{Office: "cultura", Network: netip.MustParsePrefix("10.20.3.0/24")})
	}},
	{"/v1/host/add", func(ctx context.Context, c *Client) (any, error) {
		return c.AddHost(ctx, policy.AddHost{Addr: netip.MustParseAddr("10.20.9.9"), Office: "cultura", Role: policy.Server})
	}},
	{"/v1/device/add", func(ctx context.Context, c *Client) (any, error) {
		return c.AddDevice(ctx, policy.AddDevice{Device: "52:54:00:12:34:56", Seat: "dirigente-anagrafe"})
	}},
	{"/v1/device/list", func(ctx context.Context, c *Client) (any, error) { return c.Devices(ctx) }},
	{"/v1/lease/list", func(ctx context.Context, c *Client) (any, error) { return c.Leases(ctx) }},
	{"/v1/device/remove", func(ctx context.Context, c *Client) (any, error) {
		return c.RemoveDevice(ctx, policy.RemoveDevice{Device: "52:54:00:12:34:56"})
	}},
	{"/v1/office/counts", func(ctx context.Context, c *Client) (any, error) { return c.OfficeCounts(ctx) }},
	{"/v1/token/add", func(ctx context.Context, c *Client) (any, error) {
		return c.AddToken(ctx, policy.AddToken{ID: "casa", Hash: policy.Hash{1}, Seat: "dirigente-anagrafe"})
	}},
	{"/v1/token/rotate", func(ctx context.Context, c *Client) (any, error) {
		return c.RotateToken(ctx, policy.RotateToken{ID: "casa", Hash: policy.Hash{2}})
	}},
	{"/v1/token/list", func(ctx context.Context, c *Client) (any, error) { return c.Tokens(ctx) }},
	{"/v1/token/revoke", func(ctx context.Context, c *Client) (any, error) {
		return c.RevokeToken(ctx, policy.RevokeToken{ID: "casa"})
	}},
	{"/v1/asked", func(ctx context.Context, c *Client) (any, error) { return c.Asked(ctx, "anagrafe", 7, 10) }},
	{"/v1/trace/start", func(ctx context.Context, c *Client) (any, error) {
		return c.StartTrace(ctx, policy.StartTrace{Office: "anagrafe", Minutes: 10, Purpose: "il portale non si apre"})
	}},
	{"/v1/trace/show", func(ctx context.Context, c *Client) (any, error) { return c.Trace(ctx, 1) }},
	{"/v1/trace/export", func(ctx context.Context, c *Client) (any, error) { return c.ExportTrace(ctx, io.Discard) }},
	{"/v1/trace/stop", func(ctx context.Context, c *Client) (any, error) { return c.StopTrace(ctx) }},
	{"/v1/alias/list", func(ctx context.Context, c *Client) (any, error) { return c.Aliases(ctx, true) }},
	{"/v1/alias/accept", func(ctx context.Context, c *Client) (any, error) {
		return c.AcceptAliases(ctx, policy.AcceptAliases{Names: []policy.Name{ledName}})
	}},
	{"/v1/host/list", func(ctx context.Context, c *Client) (any, error) { return c.Hosts(ctx) }},
	{"/v1/host/remove", func(ctx context.Context, c *Client) (any, error) {
		return c.RemoveHost(ctx, policy.RemoveHost{Addr: netip.MustParseAddr("10.20.9.9")})
	}},
	{"/v1/seat/add", func(ctx context.Context, c *Client) (any, error) {
		return c.AddSeat(ctx, policy.AddSeat{ID: "assessore", Office: "cultura", Role: policy.ElectedOfficial})
	}},
	{"/v1/seat/assign", func(ctx context.Context, c *Client) (any, error) {
		return c.AssignSeat(ctx, policy.AssignSeat{Seat: "assessore", Holder: "A. Bianchi", Hosts: []netip.Addr{netip.MustParseAddr("10.20.9.1")}})
	}},
	{"/v1/seat/list", func(ctx context.Context, c *Client) (any, error) { return c.Seats(ctx) }},
	{"/v1/seat/history", func(ctx context.Context, c *Client) (any, error) { return c.SeatHistory(ctx, "assessore") }},
	{"/v1/seat/remove", func(ctx context.Context, c *Client) (any, error) {
		return c.RemoveSeat(ctx, policy.RemoveSeat{Seat: "assessore"})
	}},
	{"/v1/office/remove", func(ctx context.Context, c *Client) (any, error) {
		return c.RemoveOffice(ctx, policy.RemoveOffice{ID: "cultura"})
	}},
	{"/v1/service/add", func(ctx context.Context, c *Client) (any, error) {
		rule, _, err := policy.ParseRule(".suite.example.com")
		if err != nil {
			return nil, err
		}
		return c.AddService(ctx, policy.AddService{ID: "software-house", Rules: []policy.ServiceRule{{Rule: rule, Source: "letter 3/2026"}}})
	}},
	{"/v1/service/list", func(ctx context.Context, c *Client) (any, error) { return c.Services(ctx) }},
	{"/v1/service/show", func(ctx context.Context, c *Client) (any, error) { return c.Service(ctx, "software-house") }},
	{"/v1/service/remove", func(ctx context.Context, c *Client) (any, error) {
		return c.RemoveService(ctx, policy.RemoveService{ID: "software-house"})
	}},
	{"/v1/grant/preview", func(ctx context.Context, c *Client) (any, error) {
		return c.PreviewGrants(ctx, policy.AddGrants{
			Subject: policy.Subject{Office: "anagrafe"}, Names: []string{"comune.example.it"}, Channel: policy.Mail, Protocol: "99/2026", Reason: "posta",
		})
	}},
	{"/v1/grant/add", func(ctx context.Context, c *Client) (any, error) {
		return c.AddGrants(ctx, policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"https://www.example.it/x"},
			Protocol: "88/2026", Reason: "visure", Until: "2027-06-30", Types: []policy.Type{policy.TypeA}, Schedule: "mon-fri 08:00-14:00"})
	}},
	{"/v1/grant/list", func(ctx context.Context, c *Client) (any, error) { return c.Grants(ctx, GrantFilter{}) }},
	{"/v1/grant/show", func(ctx context.Context, c *Client) (any, error) { return c.Grant(ctx, 2) }},
	{"/v1/grant/revoke", func(ctx context.Context, c *Client) (any, error) {
		return c.RevokeGrants(ctx, policy.RevokeGrants{Grants: []policy.GrantID{2}})
	}},
	{"/v1/request/submit", func(ctx context.Context, c *Client) (any, error) {
		for _, protocol := range []string{"140/2026", "141/2026"} {
			if _, err := c.SubmitRequest(ctx, request.Submit{Office: "tributi", Names: []string{"www.example.org"}, Reason: "visure",
				Paper: request.Paper{Protocol: protocol}}); err != nil {
				return nil, err
			}
		}
		return c.SubmitRequest(ctx, request.Submit{Office: "tributi", Names: []string{"www.example.net", "inps"}, Reason: "visure", Unsigned: true})
	}},
	{"/v1/request/list", func(ctx context.Context, c *Client) (any, error) {
		return c.Requests(ctx, RequestFilter{Office: "tributi", Open: true, Limit: 2})
	}},
	{"/v1/request/endorse", func(ctx context.Context, c *Client) (any, error) {
		return c.EndorseRequest(ctx, request.Endorse{Request: last(ctx, c), Paper: request.Paper{Protocol: "142/2026"}})
	}},
	{"/v1/request/approve", func(ctx context.Context, c *Client) (any, error) {
		return c.ApproveRequest(ctx, request.Approve{Request: last(ctx, c)})
	}},
	{"/v1/request/show", func(ctx context.Context, c *Client) (any, error) { return c.Request(ctx, last(ctx, c)) }},
	{"/v1/request/deny", func(ctx context.Context, c *Client) (any, error) {
		return c.DenyRequest(ctx, request.Deny{Request: last(ctx, c) - 1, Reason: "non serve"})
	}},
	{"/v1/request/withdraw", func(ctx context.Context, c *Client) (any, error) {
		return c.WithdrawRequest(ctx, request.Withdraw{Request: last(ctx, c) - 2, Reason: "letter 150/2026"})
	}},
	{"/v1/letter/list", func(ctx context.Context, c *Client) (any, error) {
		return c.Letters(ctx, LetterFilter{Office: "tributi", State: policy.AwaitingProtocol, Limit: 1})
	}},
	{"/v1/letter/register", func(ctx context.Context, c *Client) (any, error) {
		return c.RegisterLetter(ctx, letter.Register{Letter: 1, Protocol: "300/2026"})
	}},
	{"/v1/letter/resend", func(ctx context.Context, c *Client) (any, error) { return c.ResendLetter(ctx, 1) }},
	{"/v1/letter/show", func(ctx context.Context, c *Client) (any, error) { return c.Letter(ctx, 1) }},
	{"/v1/outbox", func(ctx context.Context, c *Client) (any, error) { return c.Outbox(ctx, 0) }},
	{"/v1/register", func(ctx context.Context, c *Client) (any, error) {
		return c.Register(ctx, RegisterFilter{Year: "2026", Office: "tributi"}, func(*RegisterRow) error { return nil })
	}},
	{"/v1/review", func(ctx context.Context, c *Client) (any, error) { return c.Review(ctx, "tributi") }},
	{"/v1/town", func(ctx context.Context, c *Client) (any, error) { return c.Town(ctx) }},
	{"/v1/town/apply", func(ctx context.Context, c *Client) (any, error) {
		return c.ApplyTown(ctx, TownChange{KeepUnlisted: true, Document: new(town.Document)}, nil)
	}},
	{"/v1/explain", func(ctx context.Context, c *Client) (any, error) {
		return c.Explain(ctx, Question{Office: "tributi", Name: "www.inps.it", Type: "AAAA", At: "2026-03-03T09:30"})
	}},
	{"/v1/journal", func(ctx context.Context, c *Client) (any, error) { return c.Journal(ctx, 2, 3) }},
	{"/v1/journal/export", func(ctx context.Context, c *Client) (any, error) { return c.ExportJournal(ctx, io.Discard) }},
	{"/v1/journal/head", func(ctx context.Context, c *Client) (any, error) { return c.JournalHead(ctx) }},
	{"/v1/journal/verify", func(ctx context.Context, c *Client) (any, error) { return c.VerifyJournal(ctx, VerifyRequest{}) }},
	{"/v1/cache/stats", func(ctx context.Context, c *Client) (any, error) { return c.CacheStats(ctx) }},
	{"/v1/cache/show", func(ctx context.Context, c *Client) (any, error) { return c.Cache(ctx, "www.inps.it") }},
	{"/v1/cache/flush", func(ctx context.Context, c *Client) (any, error) { return c.FlushCache(ctx, FlushRequest{All: true}) }},
	{"/v1/security/list", func(ctx context.Context, c *Client) (any, error) { return c.SecurityLists(ctx) }},
	{"/v1/upstream/list", func(ctx context.Context, c *Client) (any, error) { return c.Upstreams(ctx) }},
	{"/v1/profile", func(ctx context.Context, c *Client) (any, error) { return c.Profile(ctx, "goroutine", 0, io.Discard) }},
	{"/v1/backup", func(ctx context.Context, c *Client) (any, error) { return c.Backup(ctx, io.Discard) }},
}

// last is the newest request, or 1.
func last(ctx context.Context, c *Client) policy.RequestID {
	list, err := c.Requests(ctx, RequestFilter{Limit: MaxRequests})
	if err != nil || len(list.Requests) == 0 {
		return 1
	}
	return list.Requests[len(list.Requests)-1].ID
}

func TestEveryRouteHasACommandThatWorks(t *testing.T) {
	d := open(t)
	called := map[string]bool{}
	for _, test := range everyCommand {
		called[test.path] = true
		got, err := test.call(ctx(t), d.Client)
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
		} else if reflect.ValueOf(got).IsZero() {
			t.Errorf("%s: an empty reply", test.path)
		}
	}
	for _, r := range routes {
		if !called[r.path] {
			t.Errorf("%s %s has no command here", r.method, r.path)
		}
	}
}

func TestChangesAreJournalledWithWhoMadeThem(t *testing.T) {
	d := open(t, as(1000, 100))
	if _, err := d.AddOffice(ctx(t), policy.AddOffice{ID: "cultura", Name: "Cultura"}); err != nil {
		t.Fatal(err)
	}
	page, err := d.Journal(ctx(t), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	e := page.Entries[0]
	if e.Kind != "office.add" || e.Office != "cultura" || e.Actor.UID != 1000 || e.Actor.PID != 4711 || e.Actor.Name == "" || e.Actor.Via != journal.ViaSocket {
		t.Errorf("%+v", e)
	}
}

func TestAReplyHasAllOfTheRecord(t *testing.T) {
	d := open(t)
	made, err := d.AddGrants(ctx(t), policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"www.example.it"}, Protocol: "88/2026", Reason: "visure"})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := d.Grant(ctx(t), made.Grants[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(shown.Grant, made.Grants[0]) || !reflect.DeepEqual(shown.Request, made.Request) || shown.State != InForce {
		t.Errorf("made %+v, shown %+v", made, shown)
	}
	if shown.Request.Holder != "M. Verdi" || shown.Grant.Version == 0 {
		t.Errorf("request %+v", shown.Request)
	}
}

func TestRefusalsComeBackAsTheyAre(t *testing.T) {
	d := open(t)
	_, err := d.AddNetwork(ctx(t), policy.AddNetwork{Office: "tributi", Network: netip.MustParsePrefix("10.20.1.0/24")})
	mustBe(t, err, policy.Conflict, "10.20.1.0/24 belongs to anagrafe", "10.20.1.0/25")
	name := "Altro"
	_, err = d.ChangeOffice(ctx(t), policy.ChangeOffice{Based: policy.Based{IfVersion: 1}, ID: "tributi", Name: &name})
	mustBe(t, err, policy.Conflict, "changed meanwhile")
	_, err = d.Office(ctx(t), "nessuno")
	mustBe(t, err, policy.NotFound, `no office "nessuno"`, "office list")
	_, err = d.AddGrants(ctx(t), policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"*.gov.it"}, Protocol: "1/2026", Reason: "x"})
	mustBe(t, err, policy.Invalid, "public suffix")
}

func TestGrantsAreListedPageByPage(t *testing.T) {
	d := open(t)
	for _, g := range []policy.AddGrants{
		{Subject: policy.Subject{Office: "tributi"}, Names: []string{"a.example.it", "b.example.it", ".example.org"}, Protocol: "1/2026", Reason: "x"},
		{Subject: policy.Subject{Role: policy.Server}, Names: []string{"c.example.it"}, Protocol: "2/2026", Reason: "x"},
		{Subject: policy.Subject{Office: "tributi"}, Names: []string{"d.example.it"}, From: "2026-04-01", Protocol: "3/2026", Reason: "x"},
	} {
		if _, err := d.AddGrants(ctx(t), g); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.RevokeGrants(ctx(t), policy.RevokeGrants{Grants: []policy.GrantID{4}}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		about  string
		filter GrantFilter
		want   []policy.GrantID
		next   policy.GrantID
	}{
		{"all in force or to come", GrantFilter{}, []policy.GrantID{1, 2, 3, 5, 6, 7}, 0},
		{"revoked ones too", GrantFilter{All: true}, []policy.GrantID{1, 2, 3, 4, 5, 6, 7}, 0},
		{"an office's", GrantFilter{Subject: policy.Subject{Office: "tributi"}}, []policy.GrantID{3, 5, 7}, 0},
		{"an office's, revoked ones too", GrantFilter{Subject: policy.Subject{Office: "tributi"}, All: true}, []policy.GrantID{3, 4, 5, 7}, 0},
		{"a role's", GrantFilter{Subject: policy.Subject{Role: policy.Server}}, []policy.GrantID{6}, 0},
		{"everyone's", GrantFilter{Subject: policy.Subject{Everyone: true}}, []policy.GrantID{1}, 0},
		{"those of a service", GrantFilter{Name: "inps"}, []policy.GrantID{2}, 0},
		{"those that cover a name by a service", GrantFilter{Name: "www.inps.it"}, []policy.GrantID{2}, 0},
		{"those that cover a name by a rule", GrantFilter{Name: "x.example.org"}, []policy.GrantID{5}, 0},
		{"the first page", GrantFilter{Limit: 2}, []policy.GrantID{1, 2}, 2},
		{"the second page", GrantFilter{Limit: 4, After: 2}, []policy.GrantID{3, 5, 6, 7}, 0},
	} {
		t.Run(test.about, func(t *testing.T) {
			list, err := d.Grants(ctx(t), test.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []policy.GrantID
			for _, g := range list.Grants {
				got = append(got, g.Grant.ID)
				if g.Letter == "" || g.State == "" {
					t.Errorf("%+v", g)
				}
			}
			if !reflect.DeepEqual(got, test.want) || list.Next != test.next {
				t.Errorf("%v next %v, want %v next %v", got, list.Next, test.want, test.next)
			}
		})
	}
	_, err := d.Grants(ctx(t), GrantFilter{Limit: MaxGrants + 1})
	mustBe(t, err, policy.Invalid, "limit")
}

func TestAnExportVerifies(t *testing.T) {
	d := open(t)
	var export bytes.Buffer
	if _, err := d.ExportJournal(ctx(t), &export); err != nil {
		t.Fatal(err)
	}
	head, err := d.JournalHead(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := journal.VerifyStream(&export, head); err != nil || got != head {
		t.Errorf("%v %v, want %v", got, err, head)
	}
}

func TestTheJournalIsPaged(t *testing.T) {
	d := open(t)
	head := d.store.Head().Seq
	newest, err := d.Journal(ctx(t), 0, 2)
	if err != nil || len(newest.Entries) != 2 || newest.Entries[1].Seq != head || newest.Next != 0 {
		t.Errorf("newest: %+v %v", newest, err)
	}
	oldest, err := d.Journal(ctx(t), 1, 2)
	if err != nil || len(oldest.Entries) != 2 || oldest.Entries[0].Seq != 1 || oldest.Next != 3 {
		t.Errorf("oldest: %+v %v", oldest, err)
	}
}

func TestACutOrRewrittenJournalIsSeenByANotedHead(t *testing.T) {
	d := open(t)
	head := d.store.Head()
	beyond, other := head, head
	beyond.Seq++
	other.Hash[0]++
	for _, test := range []struct {
		about, head, problem string
	}{
		{"its own head", head.String(), ""},
		{"a head further on", beyond.String(), "cut off"},
		{"another head", other.String(), "rewritten"},
	} {
		v, err := d.VerifyJournal(ctx(t), VerifyRequest{Head: test.head})
		if err != nil {
			t.Fatal(err)
		}
		if v.Sound != (test.problem == "") || !bytes.Contains([]byte(v.Problem), []byte(test.problem)) {
			t.Errorf("%s: %+v", test.about, v)
		}
	}
	_, err := d.VerifyJournal(ctx(t), VerifyRequest{Head: "x"})
	mustBe(t, err, policy.Invalid, "SEQ:HASH")
}

func TestTheCacheForgetsANameOrAll(t *testing.T) {
	d := open(t)
	name, _ := policy.ParseName("www.inps.it")
	if got, err := d.FlushCache(ctx(t), FlushRequest{Name: "WWW.inps.it."}); err != nil || got.Answers != 5 {
		t.Error(got, err)
	}
	if _, err := d.FlushCache(ctx(t), FlushRequest{All: true}); err != nil {
		t.Error(err)
	}
	if want := []policy.Name{name, ""}; !reflect.DeepEqual(d.query.flushed, want) {
		t.Errorf("%q, want %q", d.query.flushed, want)
	}
	_, err := d.FlushCache(ctx(t), FlushRequest{})
	mustBe(t, err, policy.Invalid, "what is to be forgotten")
}
