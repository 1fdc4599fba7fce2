package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"usciere/resolver/wire"
)

// versions are those of HTTP.
var versions = []int{1, 2, 3}

// browser is a client of HTTPS over one version of HTTP, from a source address ("" for any).
func browser(t testing.TB, trust *tls.Config, version int, from string) *http.Client {
	if version == 3 {
		return &http.Client{Transport: overHTTP3(t, trust, from), Timeout: patience}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetHTTP2(version == 2)
	d := &net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	tr := &http.Transport{TLSClientConfig: trust.Clone(), Protocols: protocols, DialContext: d.DialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func ask(t testing.TB, c *http.Client, method, url, kind string, body []byte) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, text
}

// overHTTPS asks one question with a POST over HTTP/2.
func overHTTPS(t *testing.T, s *Server, trust *tls.Config, query []byte) []byte {
	c := browser(t, trust, 2, "")
	defer c.CloseIdleConnections()
	res, err := c.Post("https://"+s.HTTPSAddrs()[0].String()+WebPath, messageType, bytes.NewReader(query))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return text
}

func TestHTTPSAnswersGETAndPOST(t *testing.T) {
	for _, version := range versions {
		for _, later := range []bool{true, false} {
			s, trust := startEncrypted(t, Config{}, respond(later))
			c := browser(t, trust, version, "127.0.0.9")
			url := "https://" + s.HTTPSAddrs()[0].String() + WebPath
			for _, how := range []struct {
				method, url string
				body        []byte
			}{
				{"POST", url, queryWith(7, padding)},
				{"GET", url + "?dns=" + base64.RawURLEncoding.EncodeToString(queryWith(7, padding)), nil},
			} {
				kind := ""
				if how.body != nil {
					kind = messageType
				}
				res, reply := ask(t, c, how.method, how.url, kind, how.body)
				if res.StatusCode != 200 || res.Header.Get("Content-Type") != messageType || res.Header.Get("Cache-Control") != "private, max-age=0" {
					t.Fatalf("%s: %s, %v", how.method, res.Status, res.Header)
				}
				if len(reply) != 468 || reply[1] != 7 || reply[2]&0x80 == 0 || res.ProtoMajor != version || (res.Header.Get("Alt-Svc") == "") != (version == 3) {
					t.Errorf("%s over %s: %d octets, %x", how.method, res.Proto, len(reply), reply[:min(len(reply), 40)])
				}
			}
			eventually(t, "both are counted", func() bool { st := s.Stats(); return st.HTTPSQueries == 2 && st.HTTPSReplies == 2 && st.Pending == 0 })
		}
	}
}

func TestWhoAsksOverHTTPSIsTheAddressOfTheConnection(t *testing.T) {
	seen := make(chan *Request, 1)
	s, trust := startEncrypted(t, Config{}, handlerFunc(func(r *Request) {
		seen <- &Request{Client: r.Client, Local: r.Local, Transport: r.Transport}
		r.Reply(r.Packet)
	}))
	for _, version := range versions {
		c := browser(t, trust, version, "127.0.0.9")
		r, _ := http.NewRequest("POST", "https://"+s.HTTPSAddrs()[0].String()+WebPath, bytes.NewReader(message("x")))
		r.Header.Set("Content-Type", messageType)
		r.Header.Set("X-Forwarded-For", "10.1.1.1")
		r.Header.Set("Forwarded", "for=10.1.1.1")
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := <-seen; got.Client.Addr() != netip.MustParseAddr("127.0.0.9") || got.Local != s.HTTPSAddrs()[0] || got.Transport != HTTPS {
			t.Errorf("%s asked %s over %s, HTTP/%d", got.Client, got.Local, got.Transport, version)
		}
	}
}

func TestNonsenseOverHTTPSGetsItsStatus(t *testing.T) {
	s, trust := startEncrypted(t, Config{}, handlerFunc(func(r *Request) {
		if !bytes.HasSuffix(r.Packet, []byte("silence")) {
			r.Reply(r.Packet)
		}
	}))
	good := base64.RawURLEncoding.EncodeToString(message("x"))
	root := "https://" + s.HTTPSAddrs()[0].String()
	for _, version := range versions {
		c := browser(t, trust, version, "")
		for _, test := range []struct {
			name, method, url, kind string
			body                    []byte
			want                    int
		}{
			{"another path", "GET", "/?dns=" + good, "", nil, 404},
			{"a path below", "GET", WebPath + "/x?dns=" + good, "", nil, 404},
			{"PUT", "PUT", WebPath, messageType, message("x"), 405},
			{"HEAD", "HEAD", WebPath + "?dns=" + good, "", nil, 405},
			{"OPTIONS", "OPTIONS", WebPath, "", nil, 405},
			{"GET without a message", "GET", WebPath, "", nil, 400},
			{"two messages", "GET", WebPath + "?dns=" + good + "&dns=" + good, "", nil, 400},
			{"not base64url", "GET", WebPath + "?dns=a+/b", "", nil, 400},
			{"with padding", "GET", WebPath + "?dns=" + base64.URLEncoding.EncodeToString(message("x")), "", nil, 400},
			{"without need for any", "GET", WebPath + "?dns=" + base64.URLEncoding.EncodeToString(message("xyz")), "", nil, 200},
			{"a broken escape", "GET", WebPath + "?dns=%zz", "", nil, 400},
			{"shorter than a header", "GET", WebPath + "?dns=AAAA", "", nil, 400},
			{"too long", "GET", WebPath + "?dns=" + strings.Repeat("A", 4000), "", nil, 414},
			{"much too long", "GET", WebPath + "?dns=" + strings.Repeat("A", 7000), "", nil, 414},
			{"another type", "POST", WebPath, "application/json", message("x"), 415},
			{"no type", "POST", WebPath, "", message("x"), 415},
			{"the type with a parameter", "POST", WebPath, messageType + "; charset=x", message("x"), 200},
			{"an empty body", "POST", WebPath, messageType, nil, 400},
			{"a body too long", "POST", WebPath, messageType, make([]byte, maxMessage+1), 413},
			{"the longest body", "POST", WebPath, messageType, make([]byte, maxMessage), 200},
			{"a response", "POST", WebPath, messageType, append([]byte{0, 0, 0x80}, make([]byte, 9)...), 400},
			{"a query left without a reply", "POST", WebPath, messageType, message("silence"), 503},
		} {
			res, _ := ask(t, c, test.method, root+test.url, test.kind, test.body)
			if res.StatusCode != test.want {
				t.Errorf("%s over %s: %s, want %d", test.name, res.Proto, res.Status, test.want)
			}
			if test.want == 405 && res.Header.Get("Allow") != "GET, POST" {
				t.Errorf("%s: allowed is %q", test.name, res.Header.Get("Allow"))
			}
		}
	}
}

func TestBodiesWithoutALengthAreCutAtTheLongestMessage(t *testing.T) {
	s, trust := startEncrypted(t, Config{}, echo)
	for _, version := range versions {
		r, _ := http.NewRequest("POST", "https://"+s.HTTPSAddrs()[0].String()+WebPath, io.LimitReader(zeros{}, 1<<20))
		r.Header.Set("Content-Type", messageType)
		res, err := browser(t, trust, version, "").Do(r)
		if err != nil {
			continue // cut off while it was still sending, which serves as well
		}
		res.Body.Close()
		if res.StatusCode != 413 {
			t.Errorf("over %s: %s", res.Proto, res.Status)
		}
	}
	if n := s.Stats().HTTPSQueries; n != 0 {
		t.Errorf("%d queries came of it", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestHeadsThatAreTooLongAreRefused(t *testing.T) {
	s, trust := startEncrypted(t, Config{}, echo)
	for _, version := range []int{1, 3} { // over HTTP/2 the client sees the limit, and does not send it
		r, _ := http.NewRequest("GET", "https://"+s.HTTPSAddrs()[0].String()+WebPath, nil)
		r.Header.Set("X-Long", strings.Repeat("a&", 10<<10))
		res, err := browser(t, trust, version, "").Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %s over %s", res.Status, res.Proto)
		}
	}
}

func TestThereIsNoWayToHTTP2WithoutTLS(t *testing.T) {
	s, trust := startEncrypted(t, Config{}, echo)
	c, err := dialTLS(t, "", s.HTTPSAddrs()[0], trust, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET "+WebPath+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	head := make([]byte, 12)
	if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 400" {
		t.Errorf("%q, %v", head, err)
	}
}

func TestManyStreamsOfOneClientAreHeldToItsShare(t *testing.T) {
	release := make(chan struct{})
	s, trust := startEncrypted(t, Config{MaxPendingPerConn: 10, MaxPendingPerClient: 5, MaxTCPPerClient: 1000}, handlerFunc(func(r *Request) {
		d, ok := r.Detach()
		if !ok {
			r.Reply(r.Packet)
			return
		}
		go func() { <-release; d.Reply(d.Packet) }()
	}))
	c := browser(t, trust, 2, "127.0.0.9")
	url := "https://" + s.HTTPSAddrs()[0].String() + WebPath
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			if res, err := c.Post(url, messageType, bytes.NewReader(message("x"))); err == nil {
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	eventually(t, "most were answered at once, being too many", func() bool { st := s.Stats(); return st.Shed >= 50 && st.Pending == 5 })
	close(release)
	all.Wait()
}

func TestStreamsThatAreResetAtOnceLeaveNothingBehind(t *testing.T) {
	pending := make(chan *Request, 1000)
	s, trust := startEncrypted(t, Config{MaxPendingPerClient: 20}, handlerFunc(func(r *Request) {
		if d, ok := r.Detach(); ok {
			pending <- d
		}
	}))
	c := browser(t, trust, 2, "127.0.0.9")
	for range 200 {
		ctx, cancel := context.WithCancel(context.Background())
		r, _ := http.NewRequestWithContext(ctx, "POST", "https://"+s.HTTPSAddrs()[0].String()+WebPath, bytes.NewReader(message("x")))
		r.Header.Set("Content-Type", messageType)
		done := make(chan struct{})
		before := s.Stats().HTTPSQueries
		go func() {
			defer close(done)
			if res, err := c.Do(r); err == nil {
				res.Body.Close()
			}
		}()
		eventually(t, "it came", func() bool { return s.Stats().HTTPSQueries > before })
		cancel()
		<-done
	}
	if n := s.Stats().Pending; n > 20 {
		t.Errorf("%d are pending", n)
	}
	for len(pending) > 0 {
		d := <-pending
		d.Reply(d.Packet)
	}
	eventually(t, "nothing is pending", func() bool { return s.Stats().Pending == 0 })
}

func TestAStrangerHasOneQuestionOverHTTPS(t *testing.T) {
	stranger := func(netip.Addr) bool { return true }
	for _, version := range versions {
		s, trust := startEncrypted(t, Config{Guest: stranger}, echo)
		c := browser(t, trust, version, "")
		url := "https://" + s.HTTPSAddrs()[0].String() + WebPath
		before := time.Now()
		if res, _ := ask(t, c, "POST", url, messageType, message("x")); res.StatusCode != 200 {
			t.Errorf("the first: %s", res.Status)
		}
		if version < 3 { // where the connection ends with the one answer
			if res, _ := ask(t, c, "POST", url, messageType, message("x")); res.StatusCode != 403 && time.Since(before) < guestTime {
				t.Errorf("the second: %s", res.Status)
			}
		}
		eventually(t, "the connection is over", func() bool { return s.Stats().TCPConns == 0 })
		if n := s.Stats().HTTPSQueries; n != 1 && time.Since(before) < guestTime {
			t.Errorf("%d questions over HTTP/%d", n, version)
		}
	}
}

// FuzzWeb: whatever the address and the body of a request are, what comes of it is a query within the limits or a status that says why
// not, and what GET takes POST takes as well.
func FuzzWeb(f *testing.F) {
	f.Add("GET", "dns="+base64.RawURLEncoding.EncodeToString(message("x")), "", []byte{})
	f.Add("POST", "", messageType, message("x"))
	f.Add("GET", "dns=%41%41&x=;", "", []byte{})
	f.Add("POST", "dns=AA", "application/dns-message; a=\"", make([]byte, 70000))
	f.Fuzz(func(t *testing.T, method, query, kind string, body []byte) {
		if method != "GET" && method != "POST" {
			return
		}
		read := func(method, query, kind string, body []byte) ([]byte, int) {
			r := httptest.NewRequest(method, "https://dns.test"+WebPath, bytes.NewReader(body))
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", kind)
			return readWeb(httptest.NewRecorder(), r)
		}
		msg, status := read(method, query, kind, body)
		switch {
		case status == 200 && (!wire.IsQuery(msg) || len(msg) > maxMessage || method == "GET" && len(msg) > maxGet):
			t.Fatalf("%d octets were taken: %x", len(msg), msg)
		case status != 200 && (status < 400 || status > 415 || msg != nil && status != 400):
			t.Fatalf("status %d", status)
		}
		if status == 200 && method == "GET" {
			if again, status := read("POST", "", messageType, msg); status != 200 || !bytes.Equal(again, msg) {
				t.Fatalf("POST: status %d, %x for %x", status, again, msg)
			}
		}
	})
}
