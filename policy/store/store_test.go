package store

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usciere/policy"
	"usciere/policy/journal"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		changeForever(dir)
	}
	goleak.VerifyTestMain(m)
}

var (
	now   = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	clock = func() time.Time { return now }
	clerk = policy.Actor{UID: 1000, Name: "niccolò", PID: 812, Via: "socket"}
	town  = policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Zone: time.UTC}
)

// begin opens the store of a folder. When the test is over, the store is closed and checked through and through.
func begin(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		sound(t, dir)
	})
	return s
}

func sound(t testing.TB, dir string) Report {
	t.Helper()
	r, err := Check(dir)
	if err != nil {
		t.Errorf("the store is not sound: %v", err)
	}
	return r
}

// addOffices makes n offices as the daemon does, each in a change of its own.
func addOffices(t testing.TB, s *Store, names ...string) *policy.Live {
	t.Helper()
	live, err := policy.Open(s, town, clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := live.Apply(clerk, policy.AddOffice{ID: name, Name: "Ufficio <" + name + ">"}); err != nil {
			t.Fatal(err)
		}
	}
	return live
}

func put(key string, record any) func(policy.Tx) error {
	return func(t policy.Tx) error {
		return errors.Join(t.Put(policy.TableOffices, key, record),
			t.Journal(policy.Entry{Time: now, Actor: clerk, Kind: "test.put", Body: record}))
	}
}

// filled is a state folder with a store of some offices, closed.
func filled(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	addOffices(t, s, "anagrafe", "tributi", "protocollo")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func database(dir string) string { return filepath.Join(dir, databaseFile) }

func TestChangesAreThereAfterTheStoreIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, dir)
	addOffices(t, s, "anagrafe", "tributi")
	head := s.Head()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = begin(t, dir)
	if s.Head() != head {
		t.Errorf("head %s; want %s", s.Head(), head)
	}
	live := addOffices(t, s)
	o, ok := live.Snapshot().Office("tributi")
	if !ok || o.Name != "Ufficio <tributi>" || o.Version != head.Seq {
		t.Errorf("office %+v, %v", o, ok)
	}
	if n := s.Head().Seq; n != head.Seq {
		t.Errorf("opening made %d changes", n-head.Seq)
	}
}

func TestATransaction(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, dir)
	refused := errors.New("refused")
	read := func(table policy.Table, prefix string) (keys []string) {
		t.Helper()
		err := s.View(func(x policy.Tx) error {
			return x.Each(table, prefix, func(key string, decode func(any) error) error {
				keys = append(keys, key)
				var r any
				return decode(&r)
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}

	for i, key := range []string{"b", "a", "ab"} {
		if err := s.Update(put(key, map[string]int{"n": i})); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("walks the keys in order", func(t *testing.T) {
		if got := read(policy.TableOffices, ""); !slices.Equal(got, []string{"a", "ab", "b"}) {
			t.Errorf("got %q", got)
		}
		if got := read(policy.TableOffices, "a"); !slices.Equal(got, []string{"a", "ab"}) {
			t.Errorf("with a prefix: %q", got)
		}
	})
	t.Run("changes nothing when its function fails", func(t *testing.T) {
		head := s.Head()
		err := s.Update(func(x policy.Tx) error { return errors.Join(put("c", 1)(x), refused) })
		if !errors.Is(err, refused) || s.Head() != head || len(read(policy.TableOffices, "c")) != 0 {
			t.Errorf("%v, head %s", err, s.Head())
		}
	})
	t.Run("changes nothing when its function panics", func(t *testing.T) {
		head := s.Head()
		func() {
			defer func() {
				if fault := recover(); fault != any(refused) { //nolint:errorlint // the very value, not one like it
					t.Error("the panic of the program is swallowed")
				}
			}()
			s.Update(func(x policy.Tx) error { panic(refused) })
		}()
		if err := s.Update(put("d", 1)); err != nil || s.Head().Seq != head.Seq+1 {
			t.Errorf("the next change: %v", err)
		}
	})
	t.Run("is refused without a journal entry", func(t *testing.T) {
		for _, change := range []func(policy.Tx) error{
			func(x policy.Tx) error { return x.Put(policy.TableOffices, "e", 1) },
			func(x policy.Tx) error { return x.Delete(policy.TableOffices, "a") },
			func(x policy.Tx) error { _, err := x.Next(policy.TableGrants); return err },
		} {
			if err := s.Update(change); !errors.Is(err, ErrNoEntry) {
				t.Errorf("got %v", err)
			}
		}
		if got := read(policy.TableOffices, ""); !slices.Equal(got, []string{"a", "ab", "b", "d"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("of the outbox alone needs none", func(t *testing.T) {
		before := s.Head()
		if err := s.Update(func(x policy.Tx) error { return x.Put(policy.TableOutbox, "00000001", &policy.Mailing{Letter: 1}) }); err != nil {
			t.Error(err)
		}
		if got := read(policy.TableOutbox, ""); len(got) != 1 || s.Head() != before {
			t.Errorf("got %q, head %s", got, s.Head())
		}
	})
	t.Run("that changes nothing needs none", func(t *testing.T) {
		if err := s.Update(func(policy.Tx) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	t.Run("keeps a record without content", func(t *testing.T) {
		err := s.Update(func(x policy.Tx) error {
			return errors.Join(x.Put(policy.TableHoldings, "role:server\x00\x00\x00\x00\x00\x00\x00\x00\x07", nil), put("f", nil)(x))
		})
		if err != nil || len(read(policy.TableHoldings, "role:server\x00")) != 1 {
			t.Error(err)
		}
		err = s.View(func(x policy.Tx) error {
			o := policy.Office{ID: "untouched"}
			if ok, err := x.Get(policy.TableOffices, "f", &o); err != nil || !ok || o.ID != "untouched" {
				t.Errorf("%+v, %v, %v", o, ok, err)
			}
			ok, err := x.Get(policy.TableOffices, "none", &o)
			if ok {
				t.Error("found a record that is not there")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if err := s.Update(func(x policy.Tx) error {
			return errors.Join(x.Delete(policy.TableOffices, "f"), x.Delete(policy.TableHoldings, "role:server\x00\x00\x00\x00\x00\x00\x00\x00\x07"), put("a", policy.Office{ID: "a"})(x))
		}); err != nil {
			t.Error(err)
		}
	})
	// What the tests wrote is no office: leave nothing that the check would find.
	err := s.Update(func(x policy.Tx) error {
		for _, key := range read(policy.TableOffices, "") {
			if err := x.Delete(policy.TableOffices, key); err != nil {
				return err
			}
		}
		return x.Journal(policy.Entry{Time: now, Actor: clerk, Kind: "test.clear"})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNumbersAreNeverGivenTwice(t *testing.T) {
	dir := t.TempDir()
	next := func(s *Store, fail error) (n uint64) {
		s.Update(func(x policy.Tx) (err error) {
			if n, err = x.Next(policy.TableGrants); err != nil {
				t.Fatal(err)
			}
			return errors.Join(x.Journal(policy.Entry{Time: now, Kind: "test.number", Body: n}), fail)
		})
		return n
	}
	s := begin(t, dir)
	got := []uint64{next(s, nil), next(s, errors.New("refused")), next(s, nil)}
	s.Close()
	got = append(got, next(begin(t, dir), nil))
	if !slices.Equal(got, []uint64{1, 2, 2, 3}) {
		t.Errorf("numbers %v; want that of the change that was refused again, and no other", got)
	}
}

func TestANumberThatIsTakenIsDamage(t *testing.T) {
	s := begin(t, t.TempDir())
	err := s.Update(func(x policy.Tx) error {
		if err := x.Put(policy.TableGrants, string(seqKey(1)), nil); err != nil {
			return err
		}
		_, err := x.Next(policy.TableGrants)
		return err
	})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestReadersSeeOneStateWhileChangesAreMade(t *testing.T) {
	s := begin(t, t.TempDir())
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				err := s.View(func(x policy.Tx) error {
					n := uint64(0)
					err := x.Each(policy.TableOffices, "", func(string, func(any) error) error { n++; return nil })
					if n != x.Version() {
						err = errors.Join(err, fmt.Errorf("%d records at version %d", n, x.Version()))
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 50 {
		id := fmt.Sprintf("office-%d", i)
		if err := s.Update(put(id, policy.Office{ID: id})); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

func TestTheJournalIsReadFromAnyEntryOnAndVerifies(t *testing.T) {
	s := begin(t, t.TempDir())
	const entries = 2*batchEntries + 7
	err := s.Update(func(x policy.Tx) error {
		for i := range entries {
			if err := x.Journal(policy.Entry{Time: now, Actor: clerk, Kind: "test", Office: "anagrafe", Request: "7/2026", Body: i}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[uint64]uint64{0: entries, 1: entries, 2: entries - 1, batchEntries + 1: batchEntries + 7, entries: 1, entries + 1: 0} {
		n, first := uint64(0), uint64(0)
		err := s.Journal(from, func(e journal.Entry) bool {
			if n++; n == 1 {
				first = e.Seq
			}
			return true
		})
		if err != nil || n != want || want > 0 && first != max(from, 1) {
			t.Errorf("from %d: %d entries from %d, %v; want %d", from, n, first, err, want)
		}
	}
	n := 0
	if err := s.Journal(1, func(journal.Entry) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("stopped after %d, %v; want 3", n, err)
	}
	if head, n, err := s.VerifyJournal(); err != nil || n != entries || head != s.Head() || head.Seq != entries {
		t.Errorf("%s, %d, %v", head, n, err)
	}
	if err := s.verifyTail(s.Head(), 5); err != nil {
		t.Error(err)
	}
}

func TestAFolderInUseIsRefusedByTheNameOfItsHolder(t *testing.T) {
	dir := t.TempDir()
	begin(t, dir)
	for name, open := range map[string]func() error{
		"open":    func() error { _, err := Open(dir, Options{}); return err },
		"check":   func() error { _, err := Check(dir); return err },
		"restore": func() error { _, err := restoreFrom(dir, database(dir), clerk, now); return err },
	} {
		if err := open(); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", os.Getpid())) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAStoreOpenedForReadingChangesNothing(t *testing.T) {
	dir := filled(t)
	before, err := os.ReadFile(database(dir))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatalf("a second reader: %v", err)
	}
	defer other.Close()
	defer s.Close()
	if err := s.Update(put("a", nil)); !errors.Is(err, ErrReadOnly) {
		t.Errorf("update: %v", err)
	}
	if _, n, err := s.VerifyJournal(); err != nil || n == 0 {
		t.Errorf("%d entries, %v", n, err)
	}
	if after, err := os.ReadFile(database(dir)); err != nil || string(after) != string(before) {
		t.Errorf("the file changed (%v)", err)
	}
	if _, err := Open(t.TempDir(), Options{ReadOnly: true}); !errors.Is(err, ErrNone) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestAnUnusableFolderIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ dir, want string }{
		"a file":       {file, "must be a folder"},
		"below a file": {filepath.Join(file, "state"), "must be a folder"},
	} {
		if _, err := Open(tc.dir, Options{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	deep := filepath.Join(t.TempDir(), "a", "b")
	begin(t, deep)
	if info, err := os.Stat(deep); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a new folder: %v, %v", info.Mode(), err)
	}
}

func TestABackupIsTakenWhileChangesAreMade(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), databaseFile)
	s := begin(t, dir)
	addOffices(t, s, "anagrafe")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := s.Head()
	first := true
	n, err := s.Backup(writerFunc(func(p []byte) (int, error) {
		if first {
			first = false
			addOffices(t, s, "tributi")
		}
		return f.Write(p)
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := sound(t, filepath.Dir(out))
	if r.Head != head || r.Used != n || r.Records[policy.TableOffices] != 1 {
		t.Errorf("the backup of %d octets is %+v", n, r)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestABackupNeverGoesOverTheStoreItself(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, dir)
	f, err := os.OpenFile(database(dir), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := s.Backup(f); err == nil || !strings.Contains(err.Error(), "the store itself") {
		t.Errorf("got %v", err)
	}
	r, w := io.Pipe()
	r.Close()
	if _, err := s.Backup(w); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the writer's error: %v", err)
	}
}
