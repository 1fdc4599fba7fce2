// Package authority is a certificate authority of the town's own, for the block page over HTTPS: a root that the IT office
// rolls out to the workstations, and short-lived certificates for the names that lead to the page. For which names they may
// be made is decided elsewhere.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// File is the name of the file in the state folder that holds the root: its certificate and key, in PEM. Who can read it can
// pass for any site at the workstations that trust the root.
const File = "ca.pem"

const (
	rootLife = 10 // years
	leafLife = 7 * 24 * time.Hour
	early    = time.Hour // certificates hold from before they are made: clocks differ
)

// maxFile is the longest file that is read, in octets; a root has some hundred.
const maxFile = 64 << 10

// Authority is a root with its key.
type Authority struct {
	Root *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Create makes a root for a town and keeps it in the state folder. One that is there stays, and is an error.
func Create(folder, town string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the root: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: fit("Usciere, " + town), Organization: []string{fit(town)}},
		NotBefore: now.Add(-early), NotAfter: now.AddDate(rootLife, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the root: %w", err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the root that was made: %w", err)
	}
	a := &Authority{Root: root, key: key}
	return a, a.keep(filepath.Join(folder, File))
}

// fit cuts a text to what a field of a name may have: 64 characters (RFC 5280 appendix A.1, ub-common-name).
func fit(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), 64)])
}

// keep writes the root to a new file, whole or not at all.
func (a *Authority) keep(path string) (err error) {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return fmt.Errorf("write the root's key: %w", err)
	}
	text := append(a.PEM(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	f, err := os.CreateTemp(filepath.Dir(path), "."+File+".*") // for its owner alone
	if err != nil {
		return fmt.Errorf("keep the root: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is a root already: %s\n  workstations may trust it; to make another, move it away first, and roll the new one out", path)
	} else if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Open reads the root of a state folder; the error is fs.ErrNotExist where there is none.
func Open(folder string) (*Authority, error) {
	path := filepath.Join(folder, File)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read the root: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is no file of a root", path)
	}
	if others := info.Mode().Perm() & 0o077; others != 0 {
		return nil, fmt.Errorf("%s can be read by others than its owner (mode %04o)\n  who has read it can pass for any site: move it away, and make a new root with `usciere ca init`", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	a, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

func parse(text []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("no root with its key: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, errors.New("no root that `usciere ca init` made")
	}
	return &Authority{Root: pair.Leaf, key: key}, nil
}

// PEM is the root's certificate, for the workstations, without its key.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root.Raw})
}

// Issue makes a certificate for one name, with a key of its own, for a week.
func (a *Authority) Issue(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", name, err)
	}
	until := now.Add(leafLife)
	if until.After(a.Root.NotAfter) {
		until = a.Root.NotAfter
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{Organization: a.Root.Subject.Organization},
		NotBefore: now.Add(-early), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{name}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Root, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
