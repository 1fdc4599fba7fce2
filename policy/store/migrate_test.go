package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"usciere/policy"
)

func TestAnOlderStoreIsBroughtToTheNewFormat(t *testing.T) {
	dir := filled(t)
	order := ""
	step := func(name string) func(*bbolt.Tx) error {
		return func(b *bbolt.Tx) error {
			order += name
			return (&tx{b: b}).put(policy.TableOffices, name, policy.Office{ID: name})
		}
	}
	now := current.format
	later := layout{now + 2, append(slices.Clone(current.steps), step("one"), step("two"))}

	if _, err := open(dir, Options{ReadOnly: true}, later); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has format %d", now)) {
		t.Errorf("for reading: %v", err)
	}
	broken := layout{now + 2, append(slices.Clone(current.steps), step("one"), func(*bbolt.Tx) error { return errors.New("no sense") })}
	if _, err := open(dir, Options{}, broken); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("from format %d to %d: no sense", now+1, now+2)) {
		t.Errorf("a step that fails: %v", err)
	}
	before := sound(t, dir)
	if before.Format != now || before.Records[policy.TableOffices] != 3 {
		t.Errorf("a step that failed left %+v", before)
	}

	order = ""
	s, err := open(dir, Options{}, later)
	if err != nil {
		t.Fatal(err)
	}
	if order != "onetwo" {
		t.Errorf("steps %s", order)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if mark, _, err := readMarker(dir); err != nil || mark.Format != now+2 {
		t.Errorf("marker %+v, %v", mark, err)
	}

	_, err = Open(dir, Options{})
	if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), fmt.Sprintf("(format %d, this one knows %d): install that version", now+2, now)) {
		t.Errorf("an older program: %v", err)
	}
	kept := t.TempDir()
	if err := os.Rename(fmt.Sprintf("%s.format-%d", database(dir), now), database(kept)); err != nil {
		t.Fatal(err)
	}
	if r := sound(t, kept); r.Format != now || r.Head != before.Head || r.Records[policy.TableOffices] != 3 {
		t.Errorf("the copy is %+v", r)
	}
	order = ""
	s, err = open(dir, Options{}, later)
	if err != nil || order != "" {
		t.Errorf("opened again: %v, steps %q", err, order)
	}
	s.Close()
}

func TestABackupInAnOlderFormatIsRestoredInTheNewOne(t *testing.T) {
	dir, backup := backedUp(t)
	next := layout{current.format + 1, append(slices.Clone(current.steps), func(*bbolt.Tx) error { return nil })}
	done, err := restoreFrom(dir, backup, clerk, now, next)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(dir, Options{}, next)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.identity.Format != next.format || s.Head().Seq != done.Head.Seq+1 {
		t.Errorf("format %d, head %s after %s", s.identity.Format, s.Head(), done.Head)
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 {
		t.Errorf("files: %v", files)
	}
}

func TestAStoreOfTheFirstFormatGetsTheTablesItLacks(t *testing.T) {
	dir := t.TempDir()
	if err := create(database(dir), 1, time.Now()); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(database(dir), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(b *bbolt.Tx) error {
		var all error
		for _, t := range []policy.Table{policy.TableLetters, policy.TablePapers, policy.TableOutgoing, policy.TableOutbox, policy.TableTokens, policy.TableAliases, policy.TableAsked} {
			all = errors.Join(all, b.DeleteBucket([]byte(t)))
		}
		return all
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if r := sound(t, dir); r.Format != current.format {
		t.Errorf("it has format %d", r.Format)
	}
}
