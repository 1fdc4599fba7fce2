package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/lease"
	"usciere/policy/store"
	"usciere/resolver"
	"usciere/resolver/answercache"
	"usciere/resolver/blocklist"
	"usciere/resolver/listen"
)

// serveOptions is what the flags of serve say; they go before the settings file.
type serveOptions struct {
	config   string
	listen   []string
	upstream []string
	state    string
	socket   string
	demo     bool
}

func serveCommand() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer the town's workstations",
		Long: "Answer DNS questions by the rules in force, until SIGTERM. SIGHUP reads the settings again.\n" +
			"Without --config: port 53 on all addresses, upstreams of the machine's resolv.conf.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c.Context(), o, c.OutOrStdout()) },
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "settings `FILE` (YAML)")
	f.StringArrayVar(&o.listen, "listen", nil, "`ADDR:PORT` to answer on; repeatable; before the settings")
	f.StringArrayVar(&o.upstream, "upstream", nil, "`ADDR[:PORT]` of a server to ask; repeatable; before the settings")
	f.StringVar(&o.state, "state", "", "`DIR` of rules and journal; before the settings")
	f.StringVar(&o.socket, "socket", "", "`PATH` of the admin socket; before the settings")
	f.BoolVar(&o.demo, "demo", false, "play a small town on 127.0.0.1:5300, every 127.x.y.z a workstation")
	return c
}

// settings reads the file, if there is one, and puts the flags over it.
func (o serveOptions) settings() (settings.Settings, error) {
	s := settings.Default()
	if o.demo {
		s = demoSettings()
	}
	if o.config != "" {
		var err error
		if s, err = settings.Load(o.config); err != nil {
			return s, err
		}
	}
	if len(o.listen) > 0 {
		s.Listen = nil
		for _, text := range o.listen {
			addr, err := settings.ParseListen(text)
			if err != nil {
				return s, fmt.Errorf("--listen: %w", err)
			}
			s.Listen = append(s.Listen, addr)
		}
	}
	if len(o.upstream) > 0 {
		s.Upstream.Servers = nil
		for _, text := range o.upstream {
			addr, err := settings.ParseServer(text)
			if err != nil {
				return s, fmt.Errorf("--upstream: %w", err)
			}
			s.Upstream.Servers = append(s.Upstream.Servers, addr)
		}
	}
	if o.state != "" {
		s.State = o.state
	}
	if o.socket != "" {
		s.Admin.Socket = o.socket
	}
	return s, s.Check()
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, o serveOptions, out io.Writer) error {
	s, err := o.settings()
	if err != nil {
		return err
	}
	d, err := open(s, o)
	if err != nil {
		return err
	}
	defer d.close()
	d.announce(out, s)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return d.run(ctx, hup)
}

// daemon is everything that serves, in the order it was opened.
type daemon struct {
	options serveOptions
	folder  string // of the state
	log     *slog.Logger
	level   *slog.LevelVar
	started time.Time
	cookies resolver.CookieSecret // of this run, where the settings have none
	opened  settings.Settings     // what cannot change in a running daemon is as it says
	inForce atomic.Pointer[inForce]

	dns         *listen.Server
	certificate *listen.Certificate // of what is served encrypted; nil: nothing is
	store       *store.Store
	rules       *policy.Live
	demo        *demoUpstream // nil outside a demo, or with upstreams of its own
	lists       *blocklist.Lists
	resolver    *resolver.Resolver
	cache       *answercache.Cache
	socket      *net.UnixListener
	admin       *admin.Server
	pages       *portalPages
	metrics     *metricsServer
	desk        *desk
	asked       askedCounts
	tracing     tracing
	unsound     atomic.Pointer[error] // why the journal did not verify the last time; nil: it did
	leases      *lease.Watcher        // nil: no DHCP server's are known
	stop        context.CancelFunc    // ends questions under way
}

// inForce is what a reload replaces.
type inForce struct {
	settings settings.Settings
	groups   groups
}

// open brings everything up, or nothing: ports and settings first, so that a start that cannot be leaves no store behind.
func open(s settings.Settings, o serveOptions) (_ *daemon, err error) {
	d := &daemon{options: o, opened: s, level: new(slog.LevelVar), started: time.Now(), cookies: resolver.NewCookieSecret()}
	d.tracing.daemon = d
	d.log = newLog(os.Stderr, s.Log, d.level)
	slog.SetDefault(d.log) // for packages that only speak of faults
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.folder, err = s.StateFolder(); err != nil {
		return nil, err
	}
	socket, err := s.SocketPath()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	if err := d.openCertificate(ctx, s.TLS); err != nil {
		return nil, err
	}
	config := listen.Config{
		Addrs: s.Listen, MaxTCP: s.TCP.Connections, MaxTCPPerClient: s.TCP.PerClient, Idle: s.TCP.Idle, Log: d.log,
		MaxPending: s.Limits.Pending, MaxPendingPerClient: s.Limits.PerClient,
		Guest: func(client netip.Addr) bool { return !d.rules.Snapshot().Inside(client) },
		TLS:   s.TLS.Listen, HTTPS: s.TLS.HTTPS, HTTP3: s.TLS.HTTP3, QUIC: s.TLS.QUIC,
		Known:           func(c *listen.Claim, client netip.Addr) bool { return d.resolver.Knows(c, client) },
		WantCertificate: func() bool { return d.rules.Snapshot().Certificates() },
	}
	if len(s.Front.Proxy) > 0 {
		config.Proxied = func(peer netip.Addr) bool { return within(s.Front.Proxy, peer) }
	}
	if d.certificate != nil {
		config.Certificate = d.certificate.Get
	}
	if d.dns, err = listen.Open(config); err != nil {
		return nil, err
	}
	if d.pages, err = bindPages(&s, o.demo, d.dns.Addrs()); err != nil {
		return nil, err
	}
	if d.metrics, err = bindMetrics(s.Metrics); err != nil {
		return nil, err
	}
	if o.demo && len(s.Upstream.Servers) == 0 {
		if d.demo, err = openDemoUpstream(); err != nil {
			return nil, err
		}
	}
	if err := d.openSecurity(ctx, s.Security); err != nil {
		return nil, err
	}
	mailServer, err := mailServerOf(s)
	if err != nil {
		return nil, err
	}
	setup, groups, err := d.build(s)
	if err != nil {
		return nil, err
	}
	d.inForce.Store(&inForce{s, groups})
	if d.store, err = store.Open(d.folder, store.Options{Log: d.log}); err != nil {
		return nil, err
	}
	if d.rules, err = policy.Open(d.store, townOf(s), time.Now); err != nil {
		return nil, err
	}
	if o.demo {
		if err := seedDemo(d.rules); err != nil {
			return nil, err
		}
	}
	d.openLeases(s.DHCP)
	d.desk = newDesk(d.rules, func() settings.Settings { return d.inForce.Load().settings }, time.Now, d.log)
	d.desk.post.Use(mailServer)
	d.cache = answercache.New(answercache.Config{
		Entries: s.Cache.Entries, Bytes: int64(s.Cache.Memory),
		MinTTL: seconds(s.Cache.MinTTL), MaxTTL: seconds(s.Cache.MaxTTL),
		NegativeMax: seconds(s.Cache.NegativeTTL), ClientTTL: seconds(s.Cache.ClientTTL),
		StaleMax: seconds(s.Cache.StaleMax), FailureMin: seconds(s.Cache.FailureMin), FailureMax: seconds(s.Cache.FailureMax),
		Prefetch: s.Cache.Prefetch,
	})
	d.loadCache(s.Cache.Persist)
	d.resolver = resolver.New(d.rules, d.cache, time.Now)
	d.resolver.Use(setup)
	if err := d.openAliases(); err != nil {
		return nil, err
	}
	if err := d.openPages(s, setup.Portal); err != nil {
		return nil, err
	}
	return d, d.openAdmin(socket, s.Admin)
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// run serves until ctx ends; a signal on hup reads the settings again.
func (d *daemon) run(ctx context.Context, hup <-chan os.Signal) error {
	served := make(chan error, 1)
	go func() { served <- d.dns.Serve(d.resolver) }()
	go func() {
		if err := d.admin.Serve(d.socket); err != nil {
			d.log.Error("the admin socket failed", "error", err)
		}
	}()
	d.pages.serve(d.log)
	d.serveMetrics()
	atDesk, home := context.WithCancel(context.Background())
	var desk sync.WaitGroup
	desk.Go(func() { d.desk.run(atDesk) })
	desk.Go(func() { d.keepAliases(atDesk) })
	desk.Go(func() { d.keepAsked(atDesk) })
	if d.leases != nil {
		desk.Go(func() { d.leases.Run(atDesk) })
	}
	defer desk.Wait()
	defer home()
	go debug.FreeOSMemory() // reading a million rules leaves behind as much as they take
	d.noteHead()
	d.warn()
	desk.Go(func() { d.watchdog(atDesk) })
	notify(sd.SdNotifyReady)
	daily := time.NewTimer(time.Minute) // the first time soon after the start
	defer daily.Stop()
	for {
		select {
		case <-ctx.Done():
			d.log.Info("stopping")
			notify(sd.SdNotifyStopping)
			home()
			desk.Wait()
			return d.drain(served)
		case err := <-served:
			return err
		case <-hup:
			notify(sd.SdNotifyReloading)
			d.reload()
			notify(sd.SdNotifyReady)
		case <-daily.C:
			d.noteHead()
			d.verify()
			daily.Reset(24 * time.Hour)
		}
	}
}

// watchdog tells systemd, if it wants to know, that the daemon answers, until ctx ends: one that does not is started anew.
func (d *daemon) watchdog(ctx context.Context) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return
	}
	ticker := time.NewTicker(every / 3)
	defer ticker.Stop()
	for {
		if err := d.ready(ctx); err == nil {
			notify(sd.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			d.log.Warn("the watchdog is not told that all is well", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// drainTime bounds the end: with the rest of it, a stop takes less than 5 s.
const drainTime = 3 * time.Second

// drain lets the commands and questions under way be answered, and ends.
func (d *daemon) drain(served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var all sync.WaitGroup // side by side: none takes the others' time
	for what, shutdown := range map[string]func(context.Context) error{"commands": d.admin.Shutdown, "pages": d.pages.shutdown, "questions": d.dns.Shutdown} {
		all.Go(func() {
			if err := shutdown(ctx); err != nil {
				d.log.Warn("stopped with "+what+" under way", "error", err)
			}
		})
	}
	all.Wait()
	err := <-served
	d.tracing.close()
	if d.inForce.Load().settings.Cache.Persist {
		d.saveCache()
	}
	d.noteHead()
	return err
}

// close ends what is open, newest first.
func (d *daemon) close() {
	if d.stop != nil {
		d.stop()
	}
	if d.admin != nil {
		_ = d.admin.Close()
	}
	d.pages.close()
	d.metrics.close()
	if d.socket != nil {
		_ = d.socket.Close() // closed already if it was served
	}
	if d.dns != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = d.dns.Shutdown(ctx) // drained before, or never served
	}
	if f := d.inForce.Load(); f != nil {
		f.groups.close()
	}
	if d.demo != nil {
		d.demo.close()
	}
	if d.store != nil {
		if err := d.store.Close(); err != nil {
			d.log.Error("close the store", "error", err)
		}
	}
}

// noteHead writes the journal's head to the log, where it outlives the store: `journal verify --head` sees by it whether
// the end of a journal was cut off.
func (d *daemon) noteHead() { d.log.Info("journal", "head", d.store.Head()) }

// warn writes the problems to the log.
func (d *daemon) warn() {
	for _, problem := range d.problems() {
		d.log.Warn(problem)
	}
}

// verify checks the whole journal.
func (d *daemon) verify() {
	if head, n, err := d.store.VerifyJournal(); err != nil {
		d.unsound.Store(&err)
		d.log.Error("the journal does not verify", "error", err)
	} else {
		d.unsound.Store(nil)
		d.log.Info("journal verified", "entries", n, "head", head)
	}
}

// notify tells systemd, if it started us.
func notify(state string) { _, _ = sd.SdNotify(false, state) }

func newLog(w io.Writer, s settings.Log, level *slog.LevelVar) *slog.Logger {
	setLevel(level, s.Level)
	o := &slog.HandlerOptions{Level: level}
	if s.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func setLevel(level *slog.LevelVar, name string) {
	var l slog.Level
	if l.UnmarshalText([]byte(name)) == nil {
		level.Set(l)
	}
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }
