package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usciere/cmd/usciere/settings"
	"usciere/policy/portal/door"
	"usciere/resolver"
)

const (
	metricsTime      = 5 * time.Second // of a request, and half of a reply
	metricsConns     = 16
	metricsPerClient = 4
)

// metricsServer shows figures to Prometheus, and says to balancers whether the daemon answers. It is off the way of every question.
type metricsServer struct {
	http      *http.Server
	door      *door.Door
	listeners []net.Listener
}

// bindMetrics opens the addresses of the settings, if there are any.
func bindMetrics(s settings.Metrics) (*metricsServer, error) {
	m := &metricsServer{door: door.New(nil, door.Limits{Connections: metricsConns, PerClient: metricsPerClient})}
	for i, text := range s.Listen {
		l, err := net.Listen("tcp", text)
		if err != nil {
			m.close()
			return nil, fmt.Errorf("metrics.listen[%d]: %w", i, err)
		}
		m.listeners = append(m.listeners, m.door.Listener(l))
	}
	return m, nil
}

// serveMetrics begins to answer.
func (d *daemon) serveMetrics() {
	if len(d.metrics.listeners) == 0 {
		return
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(figures{d}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := d.ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	d.metrics.http = &http.Server{
		Handler: settled(mux), ConnContext: door.Context, ReadTimeout: metricsTime, WriteTimeout: 2 * metricsTime, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	d.metrics.http.SetKeepAlivesEnabled(false)
	for _, l := range d.metrics.listeners {
		go func() {
			if err := d.metrics.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				d.log.Error("metrics are not served any more", "address", l.Addr(), "error", err)
			}
		}()
	}
}

// settled is a handler of requests without bodies: they have come whole with their header.
func settled(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		door.Settle(r)
		h.ServeHTTP(w, r)
	})
}

func (m *metricsServer) close() {
	if m == nil {
		return
	}
	if m.http != nil {
		_ = m.http.Close() // a scrape that is cut off is made again
	}
	for _, l := range m.listeners {
		_ = l.Close() // closed already if it was served
	}
}

// addresses are where it is served.
func (m *metricsServer) addresses() (out []string) {
	for _, l := range m.listeners {
		out = append(out, "http://"+l.Addr().String()+"/metrics")
	}
	return out
}

// metric is some figures of one name.
type metric struct {
	name   string // behind usciere_
	kind   prometheus.ValueType
	help   string
	labels []string
}

const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue

// waitMetric is the one that is a histogram.
const waitMetric = "wait_seconds"

// metrics are all that are the daemon's own. None is by name or client, and by office there are as many as offices.
var metrics = []metric{
	{"build_info", gauge, "1, with the version.", []string{"version"}},
	{"start_time_seconds", gauge, "When the daemon started.", nil},

	{"queries_total", counter, "Messages received.", []string{"transport"}},
	{"replies_total", counter, "Replies sent.", []string{"transport"}},
	{"outcomes_total", counter, "What became of messages, each counted once.", []string{"outcome"}},
	{"office_queries_total", counter, "Questions of the clients of an office, by what became of them; the empty office is that of clients in none.", []string{"office", "verdict"}},
	{waitMetric, prometheus.UntypedValue, "How long clients waited for an answer from upstream; what the cache answers is not among them.", nil},
	{"failures_total", counter, "Questions answered SERVFAIL, no upstream server having answered.", nil},
	{"limits_total", counter, "What limits cut: connections (tcp), idle ones for others to have their places (idle), questions that would have waited for upstream servers (pending), those that did for longest (upstream), replies that clients did not take (write), replies to networks outside the site (strangers), connections to the page (page), to these figures (figures) and to the admin socket (socket).", []string{"limit"}},
	{"panics_total", counter, "Faults of the program that a question met and that were survived.", nil},
	{"connections", gauge, "Open connections over TCP, TLS, HTTPS and QUIC.", nil},
	{"pending", gauge, "Questions that wait for upstream servers.", nil},

	{"cache_entries", gauge, "Answers in the cache.", nil},
	{"cache_bytes", gauge, "Octets of the answers in the cache, about.", nil},
	{"cache_hits_total", counter, "Questions answered by a fresh answer.", nil},
	{"cache_misses_total", counter, "Questions for which there was none.", nil},
	{"cache_stale_total", counter, "Of these, answered by one past its life.", nil},
	{"cache_failed_total", counter, "Of these, answered by a failure known already.", nil},
	{"cache_evictions_total", counter, "Answers pushed out for want of room.", nil},
	{"cache_prefetches_total", counter, "Answers asked for anew shortly before their end.", nil},

	{"upstream_queries_total", counter, "Questions sent to an upstream server.", []string{"group", "server"}},
	{"upstream_failures_total", counter, "Of these, without a useful answer.", []string{"group", "server"}},
	{"upstream_dropped_total", counter, "Messages from its address that were not what was asked for.", []string{"group", "server"}},
	{"upstream_rtt_seconds", gauge, "How long it takes to answer, smoothed.", []string{"group", "server"}},
	{"upstream_up", gauge, "1 while it answers.", []string{"group", "server"}},

	{"rules", gauge, "How many of each thing the rules have.", []string{"kind"}},
	{"journal_entries", gauge, "Sequence number of the journal's newest entry.", nil},
	{"problems", gauge, "What an administrator should look at, as usciere status has it.", nil},
	{"certificate_end_seconds", gauge, "When the certificate of the encrypted service ends.", nil},
}

// descriptions are the metrics as the library wants them.
var descriptions = func() map[string]*prometheus.Desc {
	out := map[string]*prometheus.Desc{}
	for _, f := range metrics {
		out[f.name] = prometheus.NewDesc("usciere_"+f.name, f.help, f.labels, nil)
	}
	return out
}()

// figures read the daemon's counts, which stand beside what they count.
type figures struct{ *daemon }

// Describe implements prometheus.Collector.
func (figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (d figures) Collect(out chan<- prometheus.Metric) {
	kinds := map[string]prometheus.ValueType{}
	for _, f := range metrics {
		kinds[f.name] = f.kind
	}
	tell := func(name string, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(descriptions[name], kinds[name], value, labels...)
	}
	tell("build_info", 1, Version)
	tell("start_time_seconds", float64(d.started.UnixNano())/1e9)
	d.tellQuestions(tell, out)
	d.tellCache(tell)
	for _, u := range shown(d).Upstreams() {
		at := u.Addr.String()
		tell("upstream_queries_total", float64(u.Queries), u.Group, at)
		tell("upstream_failures_total", float64(u.Failures), u.Group, at)
		tell("upstream_dropped_total", float64(u.Dropped), u.Group, at)
		tell("upstream_rtt_seconds", u.Smoothed.Seconds(), u.Group, at)
		up := 1.0
		if u.Silent {
			up = 0
		}
		tell("upstream_up", up, u.Group, at)
	}
	rules := d.rules.Snapshot().Counts()
	for kind, n := range map[string]int{
		"offices": rules.Offices, "networks": rules.Networks, "hosts": rules.Hosts, "seats": rules.Seats, "services": rules.Services, "grants": rules.Grants,
	} {
		tell("rules", float64(n), kind)
	}
	tell("journal_entries", float64(d.store.Head().Seq))
	tell("problems", float64(len(d.problems())))
	if d.certificate != nil {
		tell("certificate_end_seconds", float64(d.certificate.End().Unix()))
	}
}

func (d figures) tellQuestions(tell func(string, float64, ...string), out chan<- prometheus.Metric) {
	s, r := d.dns.Stats(), d.resolver.Stats()
	for transport, n := range map[string][2]uint64{
		"udp": {s.UDPQueries, s.UDPReplies}, "tcp": {s.TCPQueries, s.TCPReplies}, "tls": {s.TLSQueries, s.TLSReplies},
		"https": {s.HTTPSQueries, s.HTTPSReplies}, "quic": {s.QUICQueries, s.QUICReplies},
	} {
		tell("queries_total", float64(n[0]), transport)
		tell("replies_total", float64(n[1]), transport)
	}
	for outcome, n := range map[string]uint64{
		"dropped": r.Dropped, "malformed": r.Malformed, "refused": r.Refused, "local": r.Local, "sinkholed": r.Sinkholed, "allowed": r.Allowed,
	} {
		tell("outcomes_total", float64(n), outcome)
	}
	for office, n := range d.resolver.Offices() {
		tell("office_queries_total", float64(n.Local), office, "local")
		tell("office_queries_total", float64(n.Sinkholed), office, "sinkholed")
		tell("office_queries_total", float64(n.Allowed), office, "allowed")
	}
	tell("failures_total", float64(r.Failures))
	tellWaits(d.resolver.Waits(), out)
	for limit, n := range map[string]uint64{
		"tcp": s.TCPRefused, "idle": s.Evicted, "pending": s.Shed, "upstream": r.GivenUp, "write": s.DroppedWrites, "strangers": r.HeldBack,
		"page": d.pages.shownOut(), "figures": d.metrics.door.ShownOut(), "socket": d.admin.Refused(),
	} {
		tell("limits_total", float64(n), limit)
	}
	tell("panics_total", float64(s.Panics))
	tell("connections", float64(s.TCPConns))
	tell("pending", float64(s.Pending))
}

// tellWaits tells the one figure that is a histogram.
func tellWaits(w resolver.Waits, out chan<- prometheus.Metric) {
	buckets, sum := map[float64]uint64{}, uint64(0)
	for i, n := range w.Counts {
		if sum += n; i < len(w.Bounds) {
			buckets[w.Bounds[i]] = sum
		}
	}
	out <- prometheus.MustNewConstHistogram(descriptions[waitMetric], sum, w.Sum, buckets)
}

func (d figures) tellCache(tell func(string, float64, ...string)) {
	s := d.resolver.CacheStats()
	tell("cache_entries", float64(s.Entries))
	tell("cache_bytes", float64(s.Bytes))
	tell("cache_hits_total", float64(s.Hits))
	tell("cache_misses_total", float64(s.Misses))
	tell("cache_stale_total", float64(s.Stale))
	tell("cache_failed_total", float64(s.Failed))
	tell("cache_evictions_total", float64(s.Evictions))
	tell("cache_prefetches_total", float64(s.Prefetches))
}
