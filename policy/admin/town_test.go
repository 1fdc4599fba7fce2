package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usciere/policy"
	"usciere/policy/letter"
	"usciere/policy/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	rome = time.FixedZone("CET", 3600)
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, rome)
	site = policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}, Zone: rome}
)

// query is the query path as the tests have it: one local zone, one answer in the cache.
type query struct {
	flushed []policy.Name
	traced  policy.EndTrace
}

func (*query) Explain(rules *policy.Snapshot, c *policy.Client, name policy.Name, t policy.Type, at time.Time) Judgement {
	j := Judgement{Verdict: rules.Decide(c, []byte(name), t, at), Mode: policy.Page}
	switch {
	case strings.HasSuffix(name.String(), "comune.demo.test"):
		j.Local = "zone comune.demo.test"
	case name.String() == "mx1.example.net":
		domain, _ := policy.ParseName("example.it")
		j.Verdict, j.Through, j.By = rules.Decide(c, []byte(domain), policy.TypeMX, at), "example.it", policy.TypeMX
	case name.String() == "evil.example.com" && j.Verdict.Reason == policy.Unrestricted:
		j.Verdict.Action, j.Listed, j.Mode = policy.Sinkhole, "/var/lib/lists/evil", policy.NXDomain
	}
	return j
}

func (*query) Trace(*policy.Snapshot, *policy.Client, policy.Name, policy.Type, time.Time) (Trace, error) {
	from, _ := policy.ParseName("www.inps.it")
	to, _ := policy.ParseName("inps.cdn.example.net")
	return Trace{Rcode: "NOERROR", Links: []TraceLink{{Name: from, Target: to, TTL: 60}}, Records: []string{"inps.cdn.example.net. 60 IN A 192.0.2.10"}}, nil
}

func (*query) Counters() Counters { return Counters{Allowed: 7, Replies: 9} }
func (*query) KeepAsked() error   { return nil }
func (*query) Waits() Waits       { return Waits{Bounds: []float64{1}, Counts: []uint64{2, 3}, Sum: 4} }
func (*query) OfficeCounts() map[string]OfficeCount {
	return map[string]OfficeCount{"anagrafe": {Local: 1, Sinkholed: 2, Allowed: 3}}
}

func (*query) CacheStats() CacheStats { return CacheStats{Entries: 1, Hits: 3} }
func (*query) CacheShow(name policy.Name) []CacheEntry {
	if name.String() != "www.inps.it" {
		return nil
	}
	return []CacheEntry{{Type: policy.TypeA, From: "upstream", Rcode: "NOERROR", Remaining: 30, Records: []string{"www.inps.it. 30 IN A 192.0.2.1"}}}
}
func (q *query) CacheFlush(name policy.Name) int {
	q.flushed = append(q.flushed, name)
	return 5
}
func (*query) Upstreams() []Upstream {
	return []Upstream{{Group: "upstream", Addr: netip.MustParseAddrPort("192.0.2.53:53"), Queries: 4, RTT: time.Millisecond}}
}

func (*query) SecurityLists() []SecurityList {
	return []SecurityList{{File: "/var/lib/lists/evil", Format: "hosts", Names: 3, Hits: 1, Modified: noon}}
}

// Start, Stop, Read and Export are a trace's.
func (q *query) Start(who policy.Actor, wanted policy.StartTrace) (*policy.Tracing, error) {
	q.traced = policy.EndTrace{Tracing: policy.Tracing{Office: wanted.Office, Purpose: wanted.Purpose, By: who.Name, Begun: noon, Until: noon.Add(time.Hour)}}
	return &q.traced.Tracing, nil
}
func (q *query) Stop(policy.Actor) (*policy.EndTrace, error) { return &q.traced, nil }
func (q *query) Read(_ policy.Actor, from uint64, _ int) (*TracePage, error) {
	return &TracePage{Tracing: q.traced.Tracing, Seen: from, Questions: []TracedQuestion{{Number: from, Client: "10.20.1.9"}}}, nil
}
func (q *query) Export(policy.Actor) (func(io.Writer) error, error) {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, "dnstap")
		return err
	}, nil
}

// desk is a served socket and a client of it.
type desk struct {
	*Client
	t      testing.TB
	server *Server
	query  *query
	store  *store.Store
	socket string
}

// socketPath is short, and can be reached by every user.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "usciere")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "s")
}

// ledName is one that leads to somebody new.
var ledName, _ = policy.ParseName("www.inps.it")

// open serves a town with the offices anagrafe and tributi; edit may change what is served before it is.
func open(t testing.TB, edit ...func(*Server)) *desk {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(t.TempDir(), store.Options{Log: quiet, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	rules, err := policy.Open(st, site, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	_, err = rules.Apply(policy.Actor{Name: "setup", Via: "system"},
		policy.AddOffice{ID: "anagrafe", Name: "Ufficio Anagrafe", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.1.0/24")}},
		policy.AddSeat{ID: "dirigente-anagrafe", Name: "Dirigente Anagrafe", Office: "anagrafe", Holder: "M. Rossi", From: "2025-09-01",
			Hosts: []netip.Addr{netip.MustParseAddr("10.20.1.9")}},
		policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi", Mailbox: "tributi@comune.example.it", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.2.0/24")}},
		policy.AddSeat{ID: "dirigente-tributi", Office: "tributi", Holder: "M. Verdi", From: "2025-09-01"},
		policy.AddGrants{Subject: policy.Subject{Office: "anagrafe"}, Names: []string{"inps"}, Protocol: "12/2026", Reason: "residenze"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := rules.Learn([]policy.Led{
		{Name: ledName, At: noon, First: true}, {Name: ledName, Owners: []string{"cdn.example"}, At: noon},
	}); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, query: &query{}, store: st, socket: socketPath(t)}
	d.server = New(Config{
		Rules: rules, Store: st, Resolver: d.query, Traces: d.query, Version: "0.0.0", Started: noon.Add(-time.Hour),
		Letters: func() letter.Style { return letter.Style{Town: "Comune Demo", Mail: true, Domain: "comune.example.it"} },
		Daemon:  func() Daemon { return Daemon{Town: "Comune Demo"} },
		Now:     func() time.Time { return noon }, Log: quiet,
	})
	for _, e := range edit {
		e(d.server)
	}
	l, err := Listen(d.socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(l) }()
	d.Client = Dial(d.socket)
	t.Cleanup(func() {
		d.Client.Close()
		if err := d.server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return d
}

// as makes every peer a user with these groups; of the groups' names, "admins" is 100 and "viewers" is 200.
func as(uid uint32, groups ...uint32) func(*Server) {
	return func(s *Server) {
		s.cfg.Groups = Groups{Admin: "admins", Viewer: "viewers"}
		s.owner = 990
		s.gidOf = func(name string) (uint32, bool) {
			gid, ok := map[string]uint32{"admins": 100, "viewers": 200}[name]
			return gid, ok
		}
		s.credentials = func(*net.UnixConn) (credentials, error) {
			return credentials{uid: uid, gid: 5, pid: 4711, groups: func() []uint32 { return groups }}, nil
		}
	}
}

func ctx(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return c
}

// mustBe fails unless err is a refusal with the code and all the pieces of text.
func mustBe(t testing.TB, err error, code policy.Code, pieces ...string) {
	t.Helper()
	if !policy.IsCode(err, code) {
		t.Fatalf("%v, want code %s", err, code)
	}
	for _, p := range pieces {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not say %q", err, p)
		}
	}
}
