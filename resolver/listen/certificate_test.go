package listen

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheCertificateFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	put := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	clock := now
	first, firstKey := issue(t, now.Add(60*24*time.Hour), "*.test", "dns.test")
	put(file, first)
	put(key, firstKey)
	var log strings.Builder
	c, err := OpenCertificate(file, key, func() time.Time { return clock }, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(name, problem string) {
		t.Helper()
		c.Refresh()
		got := c.Problem()
		if c.Name() != name || problem == "" && got != "" || !strings.Contains(got, problem) {
			t.Errorf("the name is %q, the problem %q; want %q, %q", c.Name(), got, name, problem)
		}
	}
	expect("dns.test", "")
	clock = now.Add(46*24*time.Hour + time.Hour)
	expect("dns.test", "expires on 2027-01-25: put a new one in its place")
	clock = now.Add(61 * 24 * time.Hour)
	expect("dns.test", "expired on 2027-01-25")
	clock = now.Add(-400 * 24 * time.Hour)
	expect("dns.test", "is not valid before 2026-01-25")
	clock = now

	second, secondKey := issue(t, now.Add(90*24*time.Hour), "new.test")
	put(file, second)
	expect("dns.test", "are no pair: ")
	put(key, secondKey)
	expect("new.test", "")
	if c.For("new.test") != nil || c.For("dns.test") == nil {
		t.Error("the names are another's")
	}
	if !strings.Contains(log.String(), "certificate read again") {
		t.Errorf("the log has %q", log.String())
	}
	os.Remove(file)
	expect("new.test", "no such file or directory: the certificate read before stays in use")
	put(file, second)
	expect("new.test", "")
}

func TestAWatchedCertificateIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	write := func(name string) {
		a, b := issue(t, time.Now().Add(90*24*time.Hour), name)
		os.WriteFile(file, a, 0o600)
		os.WriteFile(key, b, 0o600)
	}
	write("old.test")
	c, err := OpenCertificate(file, key, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{TLS: []string{"127.0.0.1:0"}, Certificate: c.Get}, echo)
	ticks := make(chan time.Time)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Watch(ctx, ticks) }()
	for _, name := range []string{"new.test", "newer.test"} {
		write(name)
		ticks <- time.Time{}
		eventually(t, "clients are shown the certificate of "+name, func() bool {
			conn, err := dialTLS(t, "", s.TLSAddrs()[0], &tls.Config{InsecureSkipVerify: true})
			return err == nil && conn.ConnectionState().PeerCertificates[0].DNSNames[0] == name
		})
	}
	cancel()
	<-done
}

func TestACertificateThatCannotBeUsedIsAnError(t *testing.T) {
	dir := t.TempDir()
	a, aKey := issue(t, time.Now().Add(time.Hour), "a.test")
	_, bKey := issue(t, time.Now().Add(time.Hour), "b.test")
	for name, text := range map[string][]byte{"a": a, "a.key": aKey, "b.key": bKey, "junk": []byte("junk\x00"), "empty": nil, "huge": make([]byte, maxCertificateFile+1)} {
		os.WriteFile(filepath.Join(dir, name), text, 0o600)
	}
	for _, test := range []struct{ name, file, key, want string }{
		{"another's key", "a", "b.key", "no pair: private key does not match public key"},
		{"the files the wrong way round", "a.key", "a", "no pair: "},
		{"junk", "junk", "a.key", "no pair: failed to find any PEM data"},
		{"an empty key", "a", "empty", "no pair: "},
		{"a file that is not there", "none", "a.key", "reading the certificate " + dir + "/none: no such file or directory"},
		{"a folder", "a", "", "reading the key " + dir + ": no regular file"},
		{"a file that is too long", "huge", "a.key", "longer than 1 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := OpenCertificate(filepath.Join(dir, test.file), filepath.Join(dir, test.key), time.Now, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %q", err, test.want)
			}
		})
	}
}
