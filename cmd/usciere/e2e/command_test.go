//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/admin"
)

// result is what a command that ended said.
type result struct {
	code     int
	out, err string
}

func (r result) String() string { return fmt.Sprintf("exit %d\n%s%s", r.code, r.out, r.err) }

// run runs a command to its end, which must come.
func run(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if failed := cmd.Start(); failed != nil {
		t.Fatal(failed)
	}
	timer := time.AfterFunc(3*patience, func() { _ = cmd.Process.Kill() })
	failed := cmd.Wait()
	if !timer.Stop() {
		t.Fatalf("%s did not end within %s\n%s%s", strings.Join(cmd.Args, " "), 3*patience, out.String(), err.String())
	}
	return result{exitOf(t, failed), out.String(), err.String()}
}

// command is a usciere command that speaks to the daemon.
func (d *daemon) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "USCIERE_SOCKET="+d.socket)
	return cmd
}

// usciere runs a command.
func (d *daemon) usciere(args ...string) result {
	d.t.Helper()
	return run(d.t, d.command(args...))
}

// must runs a command that has to succeed, and returns what it printed.
func (d *daemon) must(args ...string) string {
	d.t.Helper()
	r := d.usciere(args...)
	if r.code != 0 {
		d.t.Fatalf("usciere %s: %s", strings.Join(args, " "), r)
	}
	return r.out
}

// http is a client of the socket.
func (d *daemon) http() *http.Client {
	return &http.Client{Timeout: 3 * patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.socket)
		},
	}}
}

// try gives one command over the socket; an error means that no whole reply came.
func (d *daemon) try(method, path string, body, into any) (status int, err error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		text = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://usciere"+path, text)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := d.http()
	defer client.CloseIdleConnections()
	reply, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, err
	}
	switch out := into.(type) {
	case nil:
	case *[]byte:
		*out = data
	default:
		if reply.StatusCode == http.StatusOK {
			err = json.Unmarshal(data, into)
		}
	}
	return reply.StatusCode, err
}

// call gives one command over the socket that has to succeed.
func (d *daemon) call(method, path string, body, into any) {
	d.t.Helper()
	var raw []byte
	status, err := d.try(method, path, body, &raw)
	if err != nil || status != http.StatusOK {
		d.t.Fatalf("%s %s: status %d, %v: %s", method, path, status, err, raw)
	}
	switch out := into.(type) {
	case nil:
	case *[]byte:
		*out = raw
	default:
		if err := json.Unmarshal(raw, into); err != nil {
			d.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
}

// allow grants names to an office and returns the number of the first grant.
func (d *daemon) allow(office, protocol string, names ...string) policy.GrantID {
	d.t.Helper()
	var made policy.GrantsAdded
	d.call("POST", "/v1/grant/add", policy.AddGrants{
		Subject: policy.Subject{Office: office}, Names: names, Protocol: protocol, Reason: "prova",
	}, &made)
	return made.Grants[0].ID
}

func (d *daemon) revoke(grants ...policy.GrantID) {
	d.t.Helper()
	d.call("POST", "/v1/grant/revoke", policy.RevokeGrants{Grants: grants}, nil)
}

// status is what the daemon says of itself.
func (d *daemon) status() admin.Status {
	d.t.Helper()
	var s admin.Status
	d.call("GET", "/v1/status", nil, &s)
	return s
}

// head is the end of the journal: while it is the same, no rule has changed.
func (d *daemon) head() string {
	d.t.Helper()
	return d.status().Journal.String()
}

// verify checks the journal by the command.
func (d *daemon) verify() {
	d.t.Helper()
	d.must("journal", "verify")
}

// upstreamQueries is how many questions went upstream so far.
func (d *daemon) upstreamQueries() (n uint64) {
	d.t.Helper()
	for _, u := range d.upstreams() {
		n += u.Queries
	}
	return n
}

// upstreams are the servers, and how they are doing.
func (d *daemon) upstreams() []admin.Upstream {
	d.t.Helper()
	var list admin.UpstreamList
	d.call("GET", "/v1/upstream/list", nil, &list)
	return list.Upstreams
}
