package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// CertificateEvery is how often Watch should be told to look at the files.
	CertificateEvery = 30 * time.Second
	// expiresSoon is how long before its end a certificate is a problem.
	expiresSoon = 14 * 24 * time.Hour
	// maxCertificateFile is the largest file that is read, in octets; a chain has some kilobytes.
	maxCertificateFile = 1 << 20
)

// Certificate is the certificate of the encrypted transports, from two PEM files, and stays what they say.
type Certificate struct {
	file, key string
	now       func() time.Time
	log       *slog.Logger
	current   atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	seen   [2]fs.FileInfo // as they were when last read
	faulty string         // why the files as they are now cannot be used; empty: they can
}

// OpenCertificate reads a certificate, with the chain behind it, and its key. What cannot be used is an error.
func OpenCertificate(file, key string, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{file: file, key: key, now: now, log: log}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// Get gives the certificate to a handshake.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// Name is the first host name that the certificate is for, a wildcard aside; empty when it has none.
func (c *Certificate) Name() string {
	for _, name := range c.current.Load().Leaf.DNSNames {
		if !strings.HasPrefix(name, "*.") {
			return name
		}
	}
	return ""
}

// For says why the certificate is not for a host name; nil when it is.
func (c *Certificate) For(name string) error { return c.current.Load().Leaf.VerifyHostname(name) }

// End is when it ends.
func (c *Certificate) End() time.Time { return c.current.Load().Leaf.NotAfter }

// Problem is what an operator should know: the files cannot be used, or the certificate ends soon; empty otherwise.
func (c *Certificate) Problem() string {
	c.mu.Lock()
	faulty := c.faulty
	c.mu.Unlock()
	leaf, now := c.current.Load().Leaf, c.now()
	switch {
	case faulty != "":
		return faulty + ": the certificate read before stays in use"
	case !now.Before(leaf.NotAfter):
		return fmt.Sprintf("the certificate %s expired on %s: clients that look at it do not ask any more", c.file, leaf.NotAfter.Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return fmt.Sprintf("the certificate %s is not valid before %s", c.file, leaf.NotBefore.Format(time.DateOnly))
	case now.Add(expiresSoon).After(leaf.NotAfter):
		return fmt.Sprintf("the certificate %s expires on %s: put a new one in its place, it is taken over by itself", c.file, leaf.NotAfter.Format(time.DateOnly))
	}
	return ""
}

// Watch reads the files again when they changed, at each tick, until ctx ends. A problem is logged when it comes up.
func (c *Certificate) Watch(ctx context.Context, ticks <-chan time.Time) {
	known := c.Problem()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		c.Refresh()
		if problem := c.Problem(); problem != known {
			if known = problem; problem != "" {
				c.log.Warn(problem)
			}
		}
	}
}

// Refresh reads the files again if they changed; what cannot be used leaves the certificate as it was.
func (c *Certificate) Refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faulty == "" && !c.changed() {
		return
	}
	before := c.current.Load()
	if err := c.read(); err != nil {
		c.faulty = err.Error()
		return
	}
	c.faulty = ""
	if leaf := c.current.Load().Leaf; !leaf.Equal(before.Leaf) {
		c.log.Info("certificate read again", "file", c.file, "until", leaf.NotAfter.Format(time.DateOnly))
	}
}

// changed says whether one of the files is another than the one read.
func (c *Certificate) changed() bool {
	for i, path := range []string{c.file, c.key} {
		info, err := os.Stat(path)
		if err != nil || !os.SameFile(info, c.seen[i]) || info.Size() != c.seen[i].Size() || !info.ModTime().Equal(c.seen[i].ModTime()) {
			return true
		}
	}
	return false
}

// read reads both files.
func (c *Certificate) read() error {
	var texts [2][]byte
	var seen [2]fs.FileInfo
	for i, path := range []string{c.file, c.key} {
		var err error
		if texts[i], seen[i], err = readSmall(path); err != nil {
			return fmt.Errorf("reading the %s %s: %w", [2]string{"certificate", "key"}[i], path, bareOf(err))
		}
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return fmt.Errorf("the certificate %s and the key %s are no pair: %s", c.file, c.key, strings.TrimPrefix(err.Error(), "tls: "))
	}
	c.seen = seen
	c.current.Store(&pair)
	return nil
}

// bareOf leaves out operation and path, which our own text has.
func bareOf(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// readSmall reads a regular file of at most maxCertificateFile octets.
func readSmall(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, errors.New("no regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxCertificateFile+1))
	if err == nil && len(text) > maxCertificateFile {
		err = fmt.Errorf("longer than %d MiB", maxCertificateFile>>20)
	}
	return text, info, err
}
