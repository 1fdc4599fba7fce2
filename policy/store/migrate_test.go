package store

import (
	"errors"
	"os"
	"strings"
	"testing"

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
	third := layout{3, []func(*bbolt.Tx) error{step("one"), step("two")}}

	if _, err := open(dir, Options{ReadOnly: true}, third); err == nil || !strings.Contains(err.Error(), "has format 1") {
		t.Errorf("for reading: %v", err)
	}
	broken := layout{3, []func(*bbolt.Tx) error{step("one"), func(*bbolt.Tx) error { return errors.New("no sense") }}}
	if _, err := open(dir, Options{}, broken); err == nil || !strings.Contains(err.Error(), "from format 2 to 3: no sense") {
		t.Errorf("a step that fails: %v", err)
	}
	before := sound(t, dir)
	if before.Format != 1 || before.Records[policy.TableOffices] != 3 {
		t.Errorf("a step that failed left %+v", before)
	}

	order = ""
	s, err := open(dir, Options{}, third)
	if err != nil {
		t.Fatal(err)
	}
	if order != "onetwo" {
		t.Errorf("steps %s", order)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if mark, _, err := readMarker(dir); err != nil || mark.Format != 3 {
		t.Errorf("marker %+v, %v", mark, err)
	}

	_, err = Open(dir, Options{})
	if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "(format 3, this one knows 1): install that version") {
		t.Errorf("an older program: %v", err)
	}
	kept := t.TempDir()
	if err := os.Rename(database(dir)+".format-1", database(kept)); err != nil {
		t.Fatal(err)
	}
	if r := sound(t, kept); r.Format != 1 || r.Head != before.Head || r.Records[policy.TableOffices] != 3 {
		t.Errorf("the copy is %+v", r)
	}
	order = ""
	s, err = open(dir, Options{}, third)
	if err != nil || order != "" {
		t.Errorf("opened again: %v, steps %q", err, order)
	}
	s.Close()
}

func TestABackupInAnOlderFormatIsRestoredInTheNewOne(t *testing.T) {
	dir, backup := backedUp(t)
	second := layout{2, []func(*bbolt.Tx) error{func(*bbolt.Tx) error { return nil }}}
	done, err := restore(dir, backup, clerk, now, second)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(dir, Options{}, second)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.identity.Format != 2 || s.Head().Seq != done.Head.Seq+1 {
		t.Errorf("format %d, head %s after %s", s.identity.Format, s.Head(), done.Head)
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 {
		t.Errorf("files: %v", files)
	}
}
