// Package portal is the web pages of the office staff: the page that a sinkholed name leads to, which says why and how to
// ask, and, under the portal's own name, the request form, the state of an office's requests, and the page where the holder
// of a seat signs. Who asks is told by the address alone; there are no accounts, cookies or scripts, and nothing is kept of
// who asked what.
package portal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/portal/door"
)

// Config is what a Portal stands on.
type Config struct {
	Rules   *policy.Live
	Explain func(rules *policy.Snapshot, c *policy.Client, name policy.Name, t policy.Type, at time.Time) admin.Judgement // where a question would go
	Now     func() time.Time
	Log     *slog.Logger

	// WriteForm writes a request as a letter to be signed, with its one-time link, to the office's mailbox; PrintForm is that
	// letter as a page for print, without the link.
	WriteForm func(e *policy.Edit, q *policy.Request, token string) (*policy.Letter, error)
	PrintForm func(l *policy.Letter) (policy.Paper, error)
}

// Settings are what the settings file says of the pages; they change while the portal serves.
type Settings struct {
	Name      policy.Name  // the portal's own
	Town      string       // its name, as the pages show it
	Contact   string       // how to reach the IT office; empty: the page only names it
	Addresses []netip.Addr // of the page, besides the one that was connected to
	Forms     bool         // offices ask here; else on paper alone
}

// Portal answers HTTP requests that reach the page's address. It is an http.Handler.
type Portal struct {
	cfg      Config
	settings atomic.Pointer[Settings]
	known    index // of requests, by what the pages ask of them
	posts    *limiter
	own      http.Handler // what is under the portal's own name
}

// New makes a portal. Its settings follow with Use.
func New(cfg Config) *Portal {
	p := &Portal{cfg: cfg, posts: newLimiter(postBurst, postEvery, cfg.Now)}
	p.settings.Store(&Settings{})
	p.own = p.routes()
	return p
}

// Use puts settings in force.
func (p *Portal) Use(s Settings) { p.settings.Store(&s) }

// visit is one request: who makes it, and what holds for it.
type visit struct {
	*Settings
	r      *http.Request
	rules  *policy.Snapshot
	at     time.Time
	client policy.Client
	text   *texts
	origin string // of the portal: scheme, name, and the port unless it is the scheme's own
}

// ServeHTTP answers one request, in this order:
//
//  1. a client outside the site gets a bare 403,
//  2. what is no request of a browser to a server (CONNECT, an absolute address, a Host that is no name) a short refusal,
//  3. the portal's own name, or its address, gets the portal,
//  4. of the other names, what is not a person opening a page gets a short answer that fits: see short.go,
//  5. a person opening a page gets the block page.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer p.rescue(w)
	h := w.Header()
	h.Set("Connection", "close")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	v, ok := p.visit(r)
	if !ok {
		door.Settle(r)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if isProxied(r) {
		door.Settle(r)
		short(w, r, http.StatusForbidden, v.text.shortNoProxy)
		return
	}
	name, address, ok := readHost(r.Host)
	switch {
	case !ok:
		door.Settle(r)
		short(w, r, http.StatusBadRequest, v.text.shortBadHost)
	case v.isOwn(name, address):
		p.own.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	case address.IsValid():
		door.Settle(r)
		short(w, r, http.StatusMisdirectedRequest, v.text.shortBadHost)
	default:
		door.Settle(r)
		if !v.answerShort(w, name) {
			p.block(w, v, name)
		}
	}
}

type visitKey struct{}

// visitOf is the visit that a handler of the portal's own name serves.
func visitOf(r *http.Request) *visit {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	return v
}

// visit finds who makes a request; false for one outside the site.
func (p *Portal) visit(r *http.Request) (*visit, bool) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil, false
	}
	v := &visit{Settings: p.settings.Load(), r: r, rules: p.cfg.Rules.Snapshot(), at: p.cfg.Now()}
	v.client = v.rules.Who(from.Addr(), v.at)
	v.text = textsFor(r.Header.Get("Accept-Language"))
	v.origin = v.ownOrigin()
	return v, v.client.Inside
}

// ownOrigin is where the portal is to be found: by the way on which the request came.
func (v *visit) ownOrigin() string {
	scheme, usual := "http", uint16(80)
	if v.r.TLS != nil {
		scheme, usual = "https", 443
	}
	origin := scheme + "://" + v.Name.String()
	if at, ok := localAddr(v.r); ok && at.Port() != usual {
		origin += fmt.Sprintf(":%d", at.Port())
	}
	return origin
}

// localAddr is the address that was connected to.
func localAddr(r *http.Request) (netip.AddrPort, bool) {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.AddrPort{}, false
	}
	at, err := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), err == nil
}

// isOwn says whether a Host is the portal's: its name, or an address of the page.
func (v *visit) isOwn(name policy.Name, address netip.Addr) bool {
	if !address.IsValid() {
		return name == v.Name
	}
	at, ok := localAddr(v.r)
	return ok && at.Addr().WithZone("") == address || slices.Contains(v.Addresses, address)
}

// isProxied says whether somebody takes us for a proxy: we carry nothing to anywhere.
func isProxied(r *http.Request) bool {
	return r.Method == http.MethodConnect || r.URL.Host != "" || r.URL.Scheme != "" || !strings.HasPrefix(r.URL.Path, "/")
}

// rescue ends a request whose handling panicked, and says so without saying whose it was.
func (p *Portal) rescue(w http.ResponseWriter) {
	if fault := recover(); fault != nil {
		if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(fault)
		}
		p.cfg.Log.Error("a page failed", "fault", fault, "stack", string(debug.Stack()))
		w.WriteHeader(http.StatusInternalServerError)
	}
}
