package admin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"usciere/policy"
)

// raw sends octets on a connection of its own and reads one reply; a closed connection gives nil.
func (d *desk) raw(text string) (*http.Response, *policy.Error) {
	d.t.Helper()
	conn, err := net.Dial("unix", d.socket)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		d.t.Fatal(err)
	}
	go io.WriteString(conn, text) // a reply may come before all was sent
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, nil
	}
	defer r.Body.Close()
	text2, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	refusal := new(policy.Error)
	if json.Unmarshal(text2, refusal) != nil {
		refusal = nil
	}
	return r, refusal
}

func postOf(path, content string, headers ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s",
		path, len(content), strings.Join(append(headers, ""), "\r\n"), content)
}

func getOf(target string, headers ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

const anOffice = `{"id":"cultura","name":"Cultura"}`

func TestHostileRequests(t *testing.T) {
	d := open(t, func(s *Server) { s.http.ReadTimeout = 300 * time.Millisecond })
	before := d.store.Head()
	for _, test := range []struct {
		about, request string
		status         int
		says           string
	}{
		{"a body over a mebibyte", postOf("/v1/office/add", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`), 400, "longer than 1048576 octets"},
		{"a name that takes long to read", postOf("/v1/grant/add", `{"names":["`+strings.Repeat("語", 300_000)+`"]}`), 400, "longer than 4096 octets"},
		{"a body over a mebibyte, in chunks", "POST /v1/office/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"200000\r\n" + strings.Repeat(" ", 1<<21) + "\r\n0\r\n\r\n", 400, "longer than"},
		{"a body that does not come", "POST /v1/office/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{", 400, "did not come within"},
		{"an unknown field", postOf("/v1/office/add", `{"id":"cultura","name":"Cultura","admin":true}`), 400, `unknown field "admin"`},
		{"a field in other letters", postOf("/v1/office/add", `{"ID":"cultura","name":"Cultura"}`), 400, `unknown field "ID"`},
		{"a field twice", postOf("/v1/office/add", `{"id":"cultura","name":"Cultura","id":"x"}`), 400, `field "id" stands twice`},
		{"a second object", postOf("/v1/office/add", anOffice+anOffice), 400, "something follows"},
		{"something after the object", postOf("/v1/office/add", anOffice+"x"), 400, "something follows"},
		{"half an object", postOf("/v1/office/add", anOffice[:20]), 400, "ends too early"},
		{"no object", postOf("/v1/office/add", `null`), 400, "no JSON object"},
		{"an empty body", postOf("/v1/office/add", ``), 400, "no JSON object"},
		{"a number for a text", postOf("/v1/office/add", `{"id":7}`), 400, `field "id"`},
		{"octets that are no UTF-8", postOf("/v1/office/add", "{\"id\":\"cultura\",\"name\":\"\xff\"}"), 400, "not UTF-8"},
		{"a deep nest", postOf("/v1/office/add", `{"networks":`+strings.Repeat("[", 100_000)), 400, "too deeply"},
		{"a control character in a name", postOf("/v1/office/add", `{"id":"cultura","name":"\u001b[2J"}`), 400, "cannot be printed"},
		{"a form", strings.Replace(postOf("/v1/office/add", anOffice), "application/json", "application/x-www-form-urlencoded", 1), 400, "not marked as JSON"},
		{"an encoded body", postOf("/v1/office/add", anOffice, "Content-Encoding: gzip"), 400, "encoded"},
		{"an unknown parameter", getOf("/v1/office/show?id=anagrafe&x=1"), 400, `unknown parameter "x"`},
		{"a parameter twice", getOf("/v1/office/show?id=anagrafe&id=tributi"), 400, "stands twice"},
		{"a malformed parameter", getOf("/v1/office/show?id=%zz"), 400, "malformed"},
		{"a parameter with a semicolon", getOf("/v1/office/show?id=anagrafe;x=1"), 400, "malformed"},
		{"a parameter that is no UTF-8", getOf("/v1/office/show?id=%ff"), 400, "not UTF-8"},
		{"a body on a GET", getOf("/v1/status", "Content-Length: 2") + "{}", 400, "takes no content"},
		{"a GET that would change", getOf("/v1/office/add"), 405, "what changes a POST"},
		{"a POST that would show", postOf("/v1/status", "{}"), 405, "what shows is a GET"},
		{"another version", getOf("/v2/status"), 404, "no such command"},
		{"a path with two dots", getOf("/v1/x/../status"), 404, "no such command"},
		{"a path with two slashes", getOf("/v1//status"), 404, "no such command"},
		{"a path with an escape", getOf("/v1%2fstatus"), 404, "no such command"},
		{"a path in capitals", getOf("/V1/STATUS"), 404, "no such command"},
		{"a path that goes on", getOf("/v1/status/"), 404, "no such command"},
		{"the whole server", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no such command"},
		{"a tunnel", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no such command"},
		{"a header that is too large", getOf("/v1/status", "X: "+strings.Repeat("x", 100_000)), 431, ""},
		{"no host", "GET /v1/status HTTP/1.1\r\n\r\n", 400, ""},
		{"two lengths", "POST /v1/office/add HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, ""},
		{"an upgrade to h2c", getOf("/v1/status", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), 200, ""},
	} {
		t.Run(test.about, func(t *testing.T) {
			r, refusal := d.raw(test.request)
			if r == nil {
				t.Fatal("the connection was closed")
			}
			if r.StatusCode != test.status || r.ProtoMajor != 1 {
				t.Errorf("%s %s, want %d", r.Proto, r.Status, test.status)
			}
			if test.says != "" && (refusal == nil || !strings.Contains(refusal.Error(), test.says)) {
				t.Errorf("%v does not say %q", refusal, test.says)
			}
		})
	}
	if after := d.store.Head(); after != before {
		t.Errorf("the journal went from %v to %v", before, after)
	}
	if _, err := d.Status(ctx(t)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestHTTP2IsNotSpoken(t *testing.T) {
	d := open(t)
	r, _ := d.raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	if r != nil && r.StatusCode < 400 {
		t.Errorf("%s", r.Status)
	}
}

func TestManyConnectionsAreBoundedAndLetOthersIn(t *testing.T) {
	for _, test := range []struct {
		about string
		uid   uint32
		most  int
	}{
		{"of one user", 1000, maxUserConns},
		{"of root", 0, maxConns + maxUserConns},
	} {
		t.Run(test.about, func(t *testing.T) {
			var uid atomic.Uint32
			uid.Store(test.uid)
			d := open(t, as(0), func(s *Server) {
				s.credentials = func(*net.UnixConn) (credentials, error) {
					return credentials{uid: uid.Load(), groups: func() []uint32 { return []uint32{100} }}, nil
				}
			})
			var conns []net.Conn
			closeAll := func() {
				for _, c := range conns {
					c.Close()
				}
				conns = nil
			}
			defer closeAll()
			for range 1000 {
				c, err := net.Dial("unix", d.socket)
				if errors.Is(err, syscall.EAGAIN) {
					continue // the backlog is full: refused by the kernel
				}
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
			}
			held := 0
			for _, c := range conns {
				io.WriteString(c, getOf("/v1/status"))
				if _, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
					held++
				}
			}
			if held != test.most {
				t.Errorf("%d of %d connections were served, want %d", held, len(conns), test.most)
			}
			if test.uid != 0 {
				uid.Store(0)
				if _, err := d.Status(ctx(t)); err != nil {
					t.Errorf("root meanwhile: %v", err)
				}
			}
			closeAll()
			deadline := time.Now().Add(10 * time.Second)
			for {
				if _, err := d.Status(ctx(t)); err == nil {
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("afterwards: %v", err)
				}
			}
		})
	}
}

// brokenStore is a store whose disk is full.
type brokenStore struct{ policy.Store }

func (brokenStore) Update(func(policy.Tx) error) error {
	return fmt.Errorf("commit: %w", syscall.ENOSPC)
}

func TestAFaultOfTheStoreSaysWhatToDo(t *testing.T) {
	d := open(t)
	full := open(t, func(s *Server) {
		live, err := policy.Open(brokenStore{d.store}, site, func() time.Time { return noon })
		if err != nil {
			t.Fatal(err)
		}
		s.cfg.Rules = live
	})
	_, err := full.AddOffice(ctx(t), policy.AddOffice{ID: "cultura", Name: "Cultura"})
	mustBe(t, err, Fault, "no space left", "free some space")
	if r, _ := full.raw(postOf("/v1/office/add", anOffice)); r.StatusCode != http.StatusInternalServerError {
		t.Errorf("%s", r.Status)
	}
	if list, err := full.Offices(ctx(t)); err != nil || len(list.Offices) != 2 {
		t.Errorf("%+v %v", list, err)
	}
}

// brokenBackup breaks off in the middle.
type brokenBackup struct{ Store }

func (brokenBackup) Backup(w io.Writer) (int64, error) {
	n, _ := w.Write(bytes.Repeat([]byte("x"), 100_000))
	return int64(n), syscall.EIO
}

func TestAStreamThatBreaksOffIsAnError(t *testing.T) {
	d := open(t, func(s *Server) { s.cfg.Store = brokenBackup{s.cfg.Store} })
	_, err := d.Backup(ctx(t), io.Discard)
	mustBe(t, err, Fault, "broke off")
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		anOffice, `{"id":"a","id":"b"}`, `{"names":["www.inps.it"],"office":"tributi","types":["A","TYPE65"],"until":"2027-06-30","role":"server"}`,
		`{"names":[[[]]]}`, `{"if_version":18446744073709551615}`, "{}", "null", `{"a":{"a":1}}`, "{\"\\u0069d\":\"x\"}", `{"schedule":"mon 08:00-09:00"} `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, into := range []any{new(policy.AddGrants), new(policy.AddOffice), new(policy.AddService), new(policy.AssignSeat), new(VerifyRequest)} {
			err := decode(text, into)
			if err == nil {
				again, err := json.Marshal(into)
				if err != nil {
					t.Fatalf("%q was read, but cannot be written: %v", text, err)
				}
				if err := decode(again, into); err != nil {
					t.Fatalf("%q was read, but %q is not: %v", text, again, err)
				}
				continue
			}
			var refusal *policy.Error
			if !errors.As(err, &refusal) || refusal.Message == "" {
				t.Fatalf("%q gives %v, which is no refusal", text, err)
			}
		}
	})
}
