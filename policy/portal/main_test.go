package portal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/letter"
	"usciere/policy/request"
	"usciere/policy/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The clients of the tests.
const (
	anagrafe = "127.10.1.5"
	manager  = "127.10.1.9" // the seat of anagrafe's manager
	tributi  = "127.10.2.5"
	director = "127.10.2.9" // the seat of tributi's manager
	clerk    = "127.10.1.7" // a seat of anagrafe without powers
	noOffice = "127.10.99.5"
	outside  = "127.99.0.1"
)

const own = "usciere.internal"

// place is a portal on real sockets, with a small town's rules.
type place struct {
	testing.TB
	live    *policy.Live
	store   *store.Store
	portal  *Portal
	server  *Server
	addr    string
	log     *lines
	letters int

	mu      sync.Mutex
	now     time.Time
	judge   map[string]admin.Judgement // by name, in place of the rules
	noPaper error                      // why no letter can be written
}

// lines is a log that is held.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func open(t testing.TB, limits ...Limits) *place {
	t.Helper()
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{TB: t, log: new(lines), now: time.Date(2026, 11, 16, 10, 0, 0, 0, rome), judge: map[string]admin.Judgement{}}
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.store = st
	t.Cleanup(func() { _ = st.Close() })
	town := policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("127.10.0.0/16")}, Zone: rome}
	if p.live, err = policy.Open(st, town, p.clock); err != nil {
		t.Fatal(err)
	}
	for i, o := range []struct{ id, name, seat string }{{"anagrafe", "Ufficio Anagrafe", manager}, {"tributi", "Ufficio <Tributi> & \"Entrate\"", director}} {
		p.do(policy.AddOffice{ID: o.id, Name: o.name, Mailbox: o.id + "@comune.example.it", Networks: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("127.10.%d.0/24", i+1))}})
		p.do(policy.AddSeat{ID: "dirigente-" + o.id, Name: "Dirigente " + o.name, Office: o.id, Holder: "M. Rossi", From: "2025-09-01", Hosts: []netip.Addr{netip.MustParseAddr(o.seat)}})
	}
	p.do(policy.AddSeat{ID: "sportello", Office: "anagrafe", Role: policy.Employee, Holder: "L. Blu", From: "2025-09-01", Hosts: []netip.Addr{netip.MustParseAddr(clerk)}})
	style := letter.Style{Language: "it", Town: "Comune di Prova", Portal: "http://" + own, Mail: true}
	p.portal = New(Config{
		Rules: p.live, Explain: p.explain, Now: p.clock, Log: slog.New(slog.NewTextHandler(p.log, nil)),
		WriteForm: func(e *policy.Edit, q *policy.Request, token string) (*policy.Letter, error) {
			if p.noPaper != nil {
				return nil, p.noPaper
			}
			return letter.WriteForm(e, q, token, style)
		},
		PrintForm: func(l *policy.Letter) (policy.Paper, error) { return letter.Render(l, "") },
	})
	p.portal.Use(Settings{Name: name(t, own), Town: "Comune di Prova", Contact: "interno 100", Forms: true})
	p.serve(append(limits, Limits{})[0])
	return p
}

func (p *place) serve(limits Limits) {
	p.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	p.addr = l.Addr().String()
	p.server = NewServer(p.portal, nil, limits)
	served := make(chan error, 1)
	go func() { served <- p.server.Serve(l) }()
	p.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.server.Shutdown(ctx); err != nil {
			p.Error(err)
		}
		if err := <-served; err != nil {
			p.Error(err)
		}
		if log := p.log.String(); strings.Contains(log, "a page failed") {
			p.Errorf("log:\n%s", log)
		}
	})
}

func (p *place) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *place) advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *place) explain(rules *policy.Snapshot, c *policy.Client, n policy.Name, t policy.Type, at time.Time) admin.Judgement {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j, ok := p.judge[n.String()]; ok {
		return j
	}
	return admin.Judgement{Verdict: rules.Decide(c, []byte(n), t, at)}
}

func (p *place) do(changes ...policy.Change) []any {
	p.Helper()
	made, err := p.live.Apply(policy.Actor{Name: "test", Via: "socket"}, changes...)
	if err != nil {
		p.Fatal(err)
	}
	return made
}

// asked enters a signed request of an office.
func (p *place) asked(office string, names ...string) policy.RequestID {
	p.Helper()
	p.letters++
	made := p.do(request.Submit{Office: office, Names: names, Reason: "per l'ufficio", Paper: request.Paper{Protocol: fmt.Sprintf("%d/2026", p.letters)}})
	return made[0].(*request.Moved).Request.ID
}

func name(t testing.TB, text string) policy.Name {
	t.Helper()
	n, err := policy.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

// has checks that a page says all of these.
func (r reply) has(t testing.TB, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(strings.ReplaceAll(r.body, "\u00a0", " "), part) { // texts keep numbers with their words
			t.Errorf("status %d: %q is not in\n%s", r.status, part, afterStyle(r.body))
		}
	}
}

func afterStyle(body string) string {
	if _, rest, ok := strings.Cut(body, "</style>"); ok {
		return rest
	}
	return body
}

// ask sends a request from a workstation; header lines are "Name: value".
func (p *place) ask(from, method, host, path, body string, header ...string) reply {
	p.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, p.addr)
	}}
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequest(method, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	r.Host = host
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	for _, line := range header {
		key, value, _ := strings.Cut(line, ": ")
		r.Header.Set(key, value)
	}
	res, err := client.Do(r)
	if err != nil {
		p.Fatalf("%s %s%s: %v", method, host, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

func (p *place) get(from, host, path string, header ...string) reply {
	p.Helper()
	return p.ask(from, "GET", host, path, "", header...)
}

// post sends a form from the portal's own page.
func (p *place) post(from, path string, form url.Values, header ...string) reply {
	p.Helper()
	_, port, _ := net.SplitHostPort(p.addr)
	host := own + ":" + port
	return p.ask(from, "POST", host, path, form.Encode(), append([]string{"Content-Type: application/x-www-form-urlencoded", "Origin: http://" + host}, header...)...)
}

// raw sends octets and returns all that comes back.
func (p *place) raw(from, text string) string {
	p.Helper()
	conn := p.dial(from)
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		return ""
	}
	out, _ := io.ReadAll(bufio.NewReader(conn))
	return string(out)
}

func (p *place) dial(from string) net.Conn {
	p.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", p.addr)
	if err != nil {
		p.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}
