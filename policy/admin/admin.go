// Package admin is the Unix-socket API by which the rules are seen and changed: HTTP/1.1 and JSON, versioned (/v1/…), its
// server and its client.
//
// Anybody may connect; what a peer may do is decided by the credentials that the kernel has of it (peer.go). Every command is
// one row of the table in routes.go and one small function. How to add a change: its struct in policy, a row with
// change[policy.TheChange], a method of Client, a command in cmd/usciere.
package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/letter"
)

// Config is what the socket shows and changes, and for whom.
type Config struct {
	Rules    *policy.Live
	Store    Store
	Resolver Resolver
	Traces   Tracer
	Groups   Groups
	Version  string // of the program
	Started  time.Time
	Daemon   func() Daemon       // what the daemon says of itself; nil: nothing
	Leases   func() LeaseList    // which machine has which address; nil: nothing is known
	Letters  func() letter.Style // how letters look; nil: plain
	Now      func() time.Time    // nil: time.Now
	Log      *slog.Logger        // nil: slog.Default
}

// Groups are the names of the groups of users that may change the rules and that may only see them; empty: none. Root and
// the user that the daemon runs as may always change them. Head holds the IT head's seat, and alone decides what is granted:
// a user, or @ and a group; empty: whoever may change the rules.
type Groups struct {
	Admin, Viewer, Head string
}

// Store is what the socket needs of the store beyond the rules.
type Store interface {
	Head() journal.Head
	// Journal calls fn with the entries from a sequence number on, oldest first, until fn returns false.
	Journal(from uint64, fn func(journal.Entry) bool) error
	// VerifyJournal checks the whole chain, and returns the head and number of its sound entries.
	VerifyJournal() (journal.Head, int, error)
	// Backup writes a consistent copy of the store.
	Backup(w io.Writer) (int64, error)
}

// Resolver is what the socket shows of the query path.
type Resolver interface {
	// Explain says where a question of a client inside the site would go.
	Explain(rules *policy.Snapshot, c *policy.Client, name policy.Name, t policy.Type, at time.Time) Judgement
	// Trace asks the servers what a question comes to, which Explain allows.
	Trace(rules *policy.Snapshot, c *policy.Client, name policy.Name, t policy.Type, at time.Time) (Trace, error)
	Counters() Counters
	Waits() Waits
	// KeepAsked has what is counted of the offices' questions written.
	KeepAsked() error
	OfficeCounts() map[string]OfficeCount
	CacheStats() CacheStats
	CacheShow(name policy.Name) []CacheEntry
	// CacheFlush forgets the answers to questions for the name, or all for the empty one, and returns how many.
	CacheFlush(name policy.Name) int
	Upstreams() []Upstream
	SecurityLists() []SecurityList
}

const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 10 * time.Second // header and body
	idleTimeout   = 60 * time.Second
	writeTimeout  = 30 * time.Second // a reply, or one write of a stream
	maxHeader     = 8 << 10          // octets
)

// Server is the serving side of the socket.
type Server struct {
	cfg         Config
	http        *http.Server
	admission   admission
	refusals    throttle // logged
	owner       uint32   // the user that the daemon runs as
	credentials func(*net.UnixConn) (credentials, error)
	gidOf       func(group string) (uint32, bool)
}

// New makes a server; Serve runs it.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Daemon == nil {
		cfg.Daemon = func() Daemon { return Daemon{} }
	}
	if cfg.Leases == nil {
		cfg.Leases = func() LeaseList { return LeaseList{} }
	}
	if cfg.Letters == nil {
		cfg.Letters = func() letter.Style { return letter.Style{} }
	}
	s := &Server{cfg: cfg, owner: uint32(os.Getuid()), credentials: peerCredentials, gidOf: lookupGroup}
	s.admission.held = map[uint32]int{}
	for _, group := range []string{cfg.Groups.Admin, cfg.Groups.Viewer} {
		if _, ok := s.gidOf(group); group != "" && !ok {
			cfg.Log.Warn("a group of the admin socket is not there: nobody has its rights; make it with groupadd", "group", group)
		}
	}
	var onlyHTTP1 http.Protocols
	onlyHTTP1.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           s,
		Protocols:         &onlyHTTP1,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, &peer{credentials: c.(*admitted).credentials})
		},
		DisableGeneralOptionsHandler: true,
	}
	return s
}

// Serve answers on the listener, which Listen made, until Shutdown or Close; it then returns nil.
func (s *Server) Serve(l *net.UnixListener) error {
	err := s.http.Serve(&door{UnixListener: l, server: s})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown closes the listener and waits for the commands under way until ctx ends; then it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // which cuts them off
	}
	return err
}

// Refused is how many connections were closed at once, there being too many.
func (s *Server) Refused() uint64 {
	s.admission.mu.Lock()
	defer s.admission.mu.Unlock()
	return s.admission.refused
}

// Close ends the server at once, whatever is under way.
func (s *Server) Close() error { return s.http.Close() }
