package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 16, 10, 0, 0, 0, time.UTC)

func TestARootIsMadeOnceAndReadAgain(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without a root: %v", err)
	}
	made, err := Create(dir, "Comune di Massa", now)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	read, err := Open(dir)
	if err != nil || !read.Root.Equal(made.Root) {
		t.Fatalf("read again: %v", err)
	}
	r := read.Root
	if key, ok := r.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key %T", r.PublicKey)
	}
	if !strings.Contains(r.Subject.CommonName, "Comune di Massa") || !r.IsCA || !r.MaxPathLenZero || r.NotAfter.Sub(now) < 3650*24*time.Hour {
		t.Errorf("subject %s, CA %v, until %s", r.Subject, r.IsCA, r.NotAfter)
	}
	if _, err := Create(dir, "Comune di Massa", now); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("made again: %v", err)
	}
	if again, err := Open(dir); err != nil || !again.Root.Equal(made.Root) {
		t.Errorf("the first root is gone: %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	if strings.Contains(string(read.PEM()), "PRIVATE") {
		t.Error("the key is given out")
	}
}

func TestARootThatOthersCouldReadIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, "Comune", now); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, File), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "mode 0640") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoRootIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "no PEM": "<html>", "a key alone": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestACertificateHoldsForItsNameAWeek(t *testing.T) {
	a, err := Create(t.TempDir(), strings.Repeat("Comune di nome molto lungo ", 5), now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Root)
	long := strings.Repeat(strings.Repeat("a", 60)+".", 4) + "it"
	for _, name := range []string{"www.inps.it", "xn--citt-3na.it", long} {
		c, err := a.Issue(name, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			when time.Time
			ok   bool
		}{{now.Add(-50 * time.Minute), true}, {now, true}, {now.Add(leafLife - time.Minute), true}, {now.Add(leafLife + time.Minute), false}, {now.Add(-2 * time.Hour), false}} {
			_, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at.when})
			if (err == nil) != at.ok {
				t.Errorf("%s at %s: %v", name, at.when, err)
			}
		}
		if err := c.Leaf.VerifyHostname("other.it"); err == nil || c.Leaf.IsCA {
			t.Errorf("%s: holds for more than its name", name)
		}
	}
}

func TestNoCertificateOutlivesTheRoot(t *testing.T) {
	a, err := Create(t.TempDir(), "Comune", now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Issue("www.inps.it", a.Root.NotAfter.Add(-time.Hour))
	if err != nil || !c.Leaf.NotAfter.Equal(a.Root.NotAfter) {
		t.Errorf("until %s, %v", c.Leaf.NotAfter, err)
	}
}
