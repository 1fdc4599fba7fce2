package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"usciere/policy"
	"usciere/policy/journal"
)

// S16: each of these is refused with an error that says what to do, and nothing on disk changes.
func TestADamagedStoreIsRefused(t *testing.T) {
	pageSize := int64(os.Getpagesize())
	type damage = func(f *os.File, size int64) error
	zero := func(at, n int64) damage {
		return func(f *os.File, size int64) error {
			_, err := f.WriteAt(make([]byte, min(n, size-at)), at)
			return err
		}
	}
	flip := func(at int64) damage {
		return func(f *os.File, _ int64) error {
			b := []byte{0}
			if _, err := f.ReadAt(b, at); err != nil {
				return err
			}
			_, err := f.WriteAt([]byte{b[0] ^ 4}, at)
			return err
		}
	}
	for _, tc := range []struct {
		name   string
		damage damage
		want   string
	}{
		{"empty", func(f *os.File, _ int64) error { return f.Truncate(0) }, "the file is empty"},
		{"cut to an octet", func(f *os.File, _ int64) error { return f.Truncate(1) }, "cut within its first pages"},
		{"cut within the meta pages", func(f *os.File, _ int64) error { return f.Truncate(pageSize + 20) }, "cut"},
		{"cut to the meta pages", func(f *os.File, _ int64) error { return f.Truncate(2 * pageSize) }, "the file is cut"},
		{"cut by an octet", func(f *os.File, size int64) error {
			m, _, err := readMeta(f, size)
			return errors.Join(err, f.Truncate(int64(m.high*m.pageSize)-1))
		}, "the file is cut"},
		{"zeroed", zero(0, 1<<40), "it is no database"},
		{"all zeroed but the meta pages", zero(2*pageSize, 1<<40), "page"},
		{"the meta pages zeroed", zero(0, 2*pageSize), "it is no database"},
		{"garbage", func(f *os.File, size int64) error {
			b := make([]byte, size)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			_, err := f.WriteAt(b, 0)
			return err
		}, "it is no database"},
		{"text", func(f *os.File, _ int64) error {
			return errors.Join(f.Truncate(0), func() error {
				_, err := f.WriteAt(bytes.Repeat([]byte("ufficio anagrafe\n"), 2000), 0)
				return err
			}())
		}, "it is no database"},
		{"both meta pages flipped", func(f *os.File, size int64) error {
			return errors.Join(flip(40)(f, size), flip(pageSize+40)(f, size))
		}, "it is no database"},
		{"the newer meta page flipped", func(f *os.File, size int64) error {
			m, _, err := readMeta(f, size)
			return errors.Join(err, flip(int64(m.change%2)*pageSize+40)(f, size))
		}, "perhaps the last change"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filled(t)
			f, err := os.OpenFile(database(dir), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			info, _ := f.Stat()
			if err := errors.Join(tc.damage(f, info.Size()), f.Close()); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, tc.want)
		})
	}
}

// refused checks that the store of a folder cannot be opened in any way, and that trying changes nothing.
func refused(t *testing.T, dir, want string) {
	t.Helper()
	before, _ := os.ReadFile(database(dir))
	_, err := Open(dir, Options{})
	_, checkErr := Check(dir)
	for _, err := range []error{err, checkErr} {
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "usciere restore FILE") {
			t.Errorf("got %v; want %q and what to do", err, want)
		}
	}
	if after, _ := os.ReadFile(database(dir)); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestADamagedSpareMetaPageCostsNothing(t *testing.T) {
	dir := filled(t)
	f, err := os.OpenFile(database(dir), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	m, _, err := readMeta(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff, 0xff}, int64((m.change+1)%2*m.pageSize)+32); err != nil {
		t.Fatal(err)
	}
	s := begin(t, dir)
	if live := addOffices(t, s, "cultura"); live.Snapshot().Version() != s.Head().Seq {
		t.Error("the change is not in force")
	}
	if _, spare, err := readMeta(f, info.Size()); spare || err != nil {
		t.Errorf("after a change: %v, %v", spare, err)
	}
}

// Whatever octet of the file changes, the store is refused or has lost nothing.
func TestNoChangedOctetGoesUnnoticedOrCrashes(t *testing.T) {
	dir := filled(t)
	f, err := os.OpenFile(database(dir), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flip := func(at int, bit byte) {
		octet := []byte{0}
		if _, err := f.ReadAt(octet, int64(at)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{octet[0] ^ bit}, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	want := sound(t, dir)
	r := rand.New(rand.NewPCG(3, 4))
	used := int(want.Used)
	const flips = 1000
	opened := 0
	for range flips {
		at, bit := r.IntN(used), byte(1)<<r.IntN(8)
		if r.IntN(4) == 0 { // the fields of the pages' headers and first elements
			at = r.IntN(used/4096)*4096 + r.IntN(96)
		}
		flip(at, bit)
		got, err := Check(dir)
		flip(at, bit)
		if err != nil {
			continue
		}
		opened++
		if got.Head != want.Head || got.Entries != want.Entries || len(got.Records) != len(want.Records) {
			t.Fatalf("octet %d, bit %#x: %+v", at, bit, got)
		}
		for table, n := range want.Records {
			if got.Records[table] != n {
				t.Fatalf("octet %d, bit %#x: table %s has %d records of %d", at, bit, table, got.Records[table], n)
			}
		}
	}
	t.Logf("%d of %d changes were in free space", opened, flips)
}

func TestAVanishedStoreIsNotBegunAnew(t *testing.T) {
	dir := filled(t)
	if err := os.Remove(database(dir)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := Open(dir, Options{})
		if !errors.Is(err, ErrVanished) || !strings.Contains(err.Error(), "remove "+filepath.Join(dir, markerFile)) {
			t.Fatalf("got %v", err)
		}
	}
	if err := os.Remove(filepath.Join(dir, markerFile)); err != nil {
		t.Fatal(err)
	}
	if s := begin(t, dir); s.Head() != (journal.Head{}) {
		t.Errorf("a new beginning has head %s", s.Head())
	}
}

func TestTheMarker(t *testing.T) {
	marker := func(dir string) string { return filepath.Join(dir, markerFile) }
	t.Run("is written again when it is missing", func(t *testing.T) {
		dir := filled(t)
		want, _, _ := readMarker(dir)
		if err := os.Remove(marker(dir)); err != nil {
			t.Fatal(err)
		}
		begin(t, dir)
		if got, ok, err := readMarker(dir); got != want || !ok || err != nil {
			t.Errorf("%+v, %v, %v; want %+v", got, ok, err, want)
		}
	})
	t.Run("refuses another store", func(t *testing.T) {
		dir, other := filled(t), filled(t)
		if err := os.Rename(database(other), database(dir)); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "not the store that was begun in this folder")
	})
	for name, text := range map[string]string{"empty": "", "cut": `{"id":"AB`, "of zeros": "\x00\x00\x00", "without an id": "{}"} {
		t.Run("is refused when it is "+name, func(t *testing.T) {
			dir := filled(t)
			if err := os.WriteFile(marker(dir), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "remove the marker") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatAKillLeftOfAFirstStartIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(database(dir)+newSuffix, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	begin(t, dir)
	if _, err := os.Stat(database(dir) + newSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Error("it is still there")
	}
}

// tamper changes a closed database behind the store's back.
func tamper(t *testing.T, dir string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(database(dir), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func bucket(b *bbolt.Tx, t policy.Table) *bbolt.Bucket { return b.Bucket([]byte(t)) }

func TestADamagedRecordIsNamed(t *testing.T) {
	dir := filled(t)
	tamper(t, dir, func(b *bbolt.Tx) error {
		offices := bucket(b, policy.TableOffices)
		return errors.Join(
			offices.Put([]byte("tributi"), bytes.Replace(offices.Get([]byte("tributi")), []byte("Uff"), []byte("Ugf"), 1)),
			offices.Put([]byte("elsewhere"), offices.Get([]byte("anagrafe"))),
			bucket(b, policy.TableGrants).Put(binary.BigEndian.AppendUint64(nil, 17), []byte{1, 2}))
	})
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err) // records are read by policy.Open
	}
	if _, err := policy.Open(s, town, clock); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "usciere restore FILE") {
		t.Errorf("the rules: %v", err)
	}
	err = s.View(func(x policy.Tx) error {
		_, err := x.Get(policy.TableOffices, "tributi", new(policy.Office))
		return err
	})
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), `record "tributi" of table offices`) {
		t.Errorf("one record: %v", err)
	}
	s.Close()
	_, err = Check(dir)
	for _, want := range []string{`record "tributi" of table offices: its checksum is wrong`, `record "elsewhere" of table offices: its checksum`, `record "17" of table grants: it is cut`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the check says %v; want %q", err, want)
		}
	}
}

func TestADamagedJournalIsRefused(t *testing.T) {
	entry := func(b *bbolt.Tx, seq uint64) []byte { return bytes.Clone(bucket(b, journalTable).Get(seqKey(seq))) }
	for _, tc := range []struct {
		name   string
		tamper func(b *bbolt.Tx) error
		want   string
	}{
		{"its last entry is gone", func(b *bbolt.Tx) error {
			last, _ := bucket(b, journalTable).Cursor().Last()
			return bucket(b, journalTable).Delete(last)
		}, "its journal should end with entry"},
		{"an entry is gone", func(b *bbolt.Tx) error { return bucket(b, journalTable).Delete(seqKey(2)) }, "journal entry 2 is missing"},
		{"all entries are gone", func(b *bbolt.Tx) error {
			c := bucket(b, journalTable).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.First() {
				if err := c.Delete(); err != nil {
					return err
				}
			}
			return nil
		}, "its journal should end with entry"},
		{"an entry was changed", func(b *bbolt.Tx) error {
			return bucket(b, journalTable).Put(seqKey(2), bytes.Replace(entry(b, 2), []byte(`"pid":`), []byte(`"pid":1`), 1))
		}, "journal entry 2 is changed"},
		{"an entry stands twice", func(b *bbolt.Tx) error { return bucket(b, journalTable).Put(seqKey(3), entry(b, 2)) }, "in the place of another"},
		{"an entry is garbage", func(b *bbolt.Tx) error { return bucket(b, journalTable).Put(seqKey(1), []byte("{")) }, `journal entry "1"`},
		{"its head is gone", func(b *bbolt.Tx) error { return bucket(b, metaTable).Delete([]byte(headKey)) }, "the head of the journal is missing"},
		{"its head was changed", func(b *bbolt.Tx) error {
			return (&tx{b: b}).put(metaTable, headKey, journal.Head{Seq: 2})
		}, "its journal should end with entry 2:"},
		{"a table is gone", func(b *bbolt.Tx) error { return b.DeleteBucket([]byte(policy.TableSeats)) }, "its table seats is missing"},
		{"a strange table is there", func(b *bbolt.Tx) error { _, err := b.CreateBucket([]byte("seatt")); return err }, `a table "seatt"`},
		{"it does not say which it is", func(b *bbolt.Tx) error { return bucket(b, metaTable).Delete([]byte(identityKey)) }, "which store it is"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filled(t)
			tamper(t, dir, tc.tamper)
			refused(t, dir, tc.want)
		})
	}
}

func TestAChangedOldEntryIsFoundByTheFullVerification(t *testing.T) {
	dir := filled(t)
	tamper(t, dir, func(b *bbolt.Tx) error {
		journal := bucket(b, journalTable)
		return journal.Put(seqKey(2), bytes.Replace(journal.Get(seqKey(2)), []byte(`"pid":`), []byte(`"pid":1`), 1))
	})
	s, err := openDatabaseWithTail(database(dir), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	head, n, err := s.VerifyJournal()
	bad, ok := errors.AsType[*journal.BadEntryError](err)
	if !ok || bad.Seq != 2 || bad.Reason != journal.Changed || !errors.Is(err, ErrDamaged) || n != 1 || head.Seq != 1 {
		t.Errorf("%s, %d, %v", head, n, err)
	}
}

// openDatabaseWithTail opens a database of which only the last n journal entries are sound.
func openDatabaseWithTail(path string, n uint64) (*Store, error) {
	db, err := openPages(path, Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, path: path, readOnly: true}
	head, err := s.checkTables()
	s.head.Store(&head)
	return s, errors.Join(err, s.verifyTail(head, n))
}

func TestAFileCutWhileItIsOpenIsAnErrorAndNoCrash(t *testing.T) {
	dir := filled(t)
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(database(dir), int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	read := func(x policy.Tx) error {
		return x.Each(policy.TableOffices, "", func(_ string, decode func(any) error) error { return decode(new(policy.Office)) })
	}
	if err := s.View(read); !errors.Is(err, ErrDamaged) {
		t.Errorf("view: %v", err)
	}
	if err := s.Update(put("a", nil)); err == nil {
		t.Error("a change is accepted")
	}
	if _, _, err := s.VerifyJournal(); !errors.Is(err, ErrDamaged) {
		t.Errorf("verify: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it does not close")
	}
}
