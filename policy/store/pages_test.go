package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"go.etcd.io/bbolt"

	"usciere/policy"
)

// large is a database with several levels of pages, large values, and free pages.
func large(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "large.db")
	if err := create(path, 1, now); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for round := range 4 {
		err := db.Update(func(b *bbolt.Tx) error {
			for i := range 2000 {
				key, n := binary.BigEndian.AppendUint64(nil, uint64(i)), 100
				if i%50 == 0 {
					n = 10_000
				}
				var err error
				if (i+round)%3 == 0 {
					err = bucket(b, policy.TableGrants).Delete(key)
				} else {
					err = bucket(b, policy.TableGrants).Put(key, bytes.Repeat([]byte{byte(i)}, n))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := db.View(func(b *bbolt.Tx) error { _, err := b.WriteTo(&out); return err }); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestASoundFileOfManyPagesPasses(t *testing.T) {
	file := large(t)
	if spare, err := checkLayout(file); spare || err != nil {
		t.Errorf("%v, %v", spare, err)
	}
}

// seal gives the meta pages of a file the sums they should have.
func seal(file []byte) {
	for _, at := range []int{0, os.Getpagesize()} {
		if len(file) >= at+metaLength {
			page := file[at:]
			binary.NativeEndian.PutUint64(page[metaSum:], sumOf(page))
		}
	}
}

func TestAFileThatCannotBeFollowedIsFound(t *testing.T) {
	size := uint64(os.Getpagesize())
	ne := binary.NativeEndian
	file := large(t)
	m, _, err := readMeta(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	// The first branch page below the root: that of the grants.
	branch := uint64(0)
	for id := uint64(2); id < m.high && branch == 0; id++ {
		if ne.Uint16(file[id*size+8:]) == branchPage && ne.Uint64(file[id*size:]) == id {
			branch = id
		}
	}
	if branch == 0 {
		t.Fatal("there is no branch")
	}
	for name, spoil := range map[string]func(page []byte){
		"a branch that leads to itself":      func(p []byte) { ne.PutUint64(p[pageHeader+8:], branch) },
		"a branch that leads to a meta page": func(p []byte) { ne.PutUint64(p[pageHeader+8:], 0) },
		"a branch that leads beyond the end": func(p []byte) { ne.PutUint64(p[pageHeader+8:], 1<<60) },
		"two ways to one page":               func(p []byte) { copy(p[pageHeader+8:pageHeader+16], p[pageHeader+elementSize+8:]) },
		"a page of a strange type":           func(p []byte) { ne.PutUint16(p[8:], 0x40) },
		"a page with another's number":       func(p []byte) { ne.PutUint64(p, branch+1) },
		"more elements than there are":       func(p []byte) { ne.PutUint16(p[10:], ne.Uint16(p[10:])+1) },
		"fewer elements than there are":      func(p []byte) { ne.PutUint16(p[10:], ne.Uint16(p[10:])-1) },
		"no elements":                        func(p []byte) { ne.PutUint16(p[10:], 0) },
		"more elements than fit":             func(p []byte) { ne.PutUint16(p[10:], 0xFFFF) },
		"an overflow beyond the end":         func(p []byte) { ne.PutUint32(p[12:], 0xFFFFFFFF) },
		"an overflow over another page":      func(p []byte) { ne.PutUint32(p[12:], 1) },
		"a key in another place":             func(p []byte) { ne.PutUint32(p[pageHeader:], ne.Uint32(p[pageHeader:])+1) },
		"a key beyond the page":              func(p []byte) { ne.PutUint32(p[pageHeader+4:], 1<<31) },
		"keys out of order": func(p []byte) {
			at := pageHeader + uint64(ne.Uint32(p[pageHeader:]))
			p[at] = 0xFF
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := bytes.Clone(file)
			spoil(bad[branch*size:])
			if _, err := checkLayout(bad); !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What passes the check, bbolt reads without a panic, and finds sound by its own check.
func FuzzPages(f *testing.F) {
	small, err := os.ReadFile(database(filled(f)))
	if err != nil {
		f.Fatal(err)
	}
	files := [][]byte{small, large(f)}
	f.Add(false, uint32(0), []byte{}, uint32(0))
	f.Add(true, uint32(3*4096), []byte{1}, uint32(0))
	f.Add(false, uint32(32), []byte{5}, uint32(12345))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, which bool, at uint32, change []byte, cut uint32) {
		file := files[0]
		if which {
			file = files[1]
		}
		file = bytes.Clone(file)
		copy(file[at%uint32(len(file)):], change)
		seal(file)
		if cut > 0 {
			file = file[:len(file)-int(cut)%len(file)]
		}
		if _, err := checkLayout(file); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		path := filepath.Join(dir, fmt.Sprint(os.Getpid()))
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.View(func(b *bbolt.Tx) error {
			for err := range b.Check() {
				t.Error(err)
			}
			return b.ForEach(func(_ []byte, b *bbolt.Bucket) error {
				return b.ForEach(func(k, v []byte) error { return nil })
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestParseLocks(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []fileLock
	}{
		"nothing":             {"", nil},
		"a lock":              {"1: FLOCK  ADVISORY  WRITE 4711 fd:01:5513 0 EOF\n", []fileLock{{4711, 0xfd, 1, 5513}}},
		"no newline":          {"1: FLOCK  ADVISORY  READ 1 00:1f:18446744073709551615 0 EOF", []fileLock{{1, 0, 0x1f, 1<<64 - 1}}},
		"another kind":        {"1: POSIX  ADVISORY  WRITE 4711 fd:01:5513 0 EOF\n", nil},
		"one that waits":      {"1: -> FLOCK  ADVISORY  WRITE 4711 fd:01:5513 0 EOF\n", nil},
		"a pid out of sight":  {"1: FLOCK  ADVISORY  WRITE 0 fd:01:5513 0 EOF\n1: FLOCK  ADVISORY  WRITE -1 fd:01:5513 0 EOF\n", nil},
		"what does not parse": {"1: FLOCK  ADVISORY  WRITE x fd:01:5513 0 EOF\n1: FLOCK  ADVISORY  WRITE 1 fd:01 0 EOF\n1: FLOCK ADVISORY WRITE 1 g:1:1 0\n1: FLOCK\n", nil},
	} {
		if got := parseLocks([]byte(tc.text)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v; want %v", name, got, tc.want)
		}
	}
}

func FuzzParseLocks(f *testing.F) {
	f.Add([]byte("1: FLOCK  ADVISORY  WRITE 4711 fd:01:5513 0 EOF\n2: POSIX ADVISORY READ 1 00:1:2 0 EOF\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, l := range parseLocks(text) {
			again := fmt.Sprintf("1: FLOCK  ADVISORY  WRITE %d %02x:%02x:%d 0 EOF\n", l.pid, l.major, l.minor, l.inode)
			if got := parseLocks([]byte(again)); len(got) != 1 || got[0] != l {
				t.Errorf("%q is read as %v, and written as %q", text, l, again)
			}
		}
	})
}

func TestKeysAreShownAsPeopleReadThem(t *testing.T) {
	number := string(binary.BigEndian.AppendUint64(nil, 17))
	for key, want := range map[string]string{
		"tributi": `"tributi"`, "": `""`, "polizia1": `"polizia1"`, "1234/2026": `"1234/2026"`,
		number: `"17"`, "office:tributi\x00" + number: `"office:tributi 17"`, "a\nb": `"a\nb"`,
	} {
		if got := showKey(key); got != want {
			t.Errorf("%q is shown as %s; want %s", key, got, want)
		}
	}
}
