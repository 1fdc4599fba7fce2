package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// backedUp is a folder whose store has one office more than its backup.
func backedUp(t *testing.T) (dir, backup string) {
	t.Helper()
	dir, backup = t.TempDir(), filepath.Join(t.TempDir(), "backup.db")
	s, err := Open(dir, Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	addOffices(t, s, "anagrafe")
	err = writeFile(backup, func(w io.Writer) error {
		_, err := s.Backup(w)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	addOffices(t, s, "tributi")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, backup
}

// restoreFrom restores the backup at a path, in the format given or the current one.
func restoreFrom(dir, path string, by policy.Actor, now time.Time, in ...layout) (Restored, error) {
	backup, err := os.Open(path)
	if err != nil {
		return Restored{}, err
	}
	defer backup.Close()
	if len(in) > 0 {
		return restore(dir, backup, by, now, in[0])
	}
	return Restore(dir, backup, by, now)
}

func TestARestoreBringsTheBackupBack(t *testing.T) {
	for _, tc := range []struct {
		name     string
		before   func(dir string) error
		kept     bool
		replaced bool
	}{
		{"over a sound store", func(string) error { return nil }, true, true},
		{"over a damaged store", func(dir string) error { return os.Truncate(database(dir), 10_000) }, true, false},
		{"over an empty file", func(dir string) error { return os.Truncate(database(dir), 0) }, true, false},
		{"after it vanished", func(dir string) error { return os.Remove(database(dir)) }, false, false},
		{"in a new folder", os.RemoveAll, false, false},
		{"over a damaged marker", func(dir string) error { return os.WriteFile(filepath.Join(dir, markerFile), []byte("{"), 0o600) }, true, true},
		{"over the store of another town", func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			s, err := Open(dir, Options{})
			return errors.Join(err, s.Close())
		}, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, backup := backedUp(t)
			if err := tc.before(dir); err != nil {
				t.Fatal(err)
			}
			mark, marked, _ := readMarker(dir)
			old, _ := os.ReadFile(database(dir))
			done, err := restoreFrom(dir, backup, clerk, now)
			if err != nil {
				t.Fatal(err)
			}
			if (done.Kept != "") != tc.kept || (done.Replaced != nil) != tc.replaced {
				t.Errorf("%+v", done)
			}
			if tc.kept {
				if kept, err := os.ReadFile(filepath.Join(dir, done.Kept)); err != nil || string(kept) != string(old) {
					t.Errorf("the old store is not kept: %v", err)
				}
			}
			s := begin(t, dir)
			live := addOffices(t, s)
			_, one := live.Snapshot().Office("anagrafe")
			_, two := live.Snapshot().Office("tributi")
			if !one || two {
				t.Errorf("offices: anagrafe %v, tributi %v; want those of the backup", one, two)
			}
			var last journal.Entry
			if err := s.Journal(s.Head().Seq, func(e journal.Entry) bool { last = e; return true }); err != nil {
				t.Fatal(err)
			}
			if last.Kind != "store.restore" || last.Prev != done.Head.Hash || last.Actor != journal.Actor(clerk) {
				t.Errorf("the journal ends with %s", last.Encode())
			}
			if marked && s.identity.ID != mark.ID {
				t.Errorf("the store has id %s, the marker had %s", s.identity.ID, mark.ID)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*"+newSuffix)); len(left) > 0 {
				t.Errorf("left over: %s", left)
			}
		})
	}
}

func TestABadBackupChangesNothing(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		spoil      func(dir, backup string) string
	}{
		{"cut", "the file is cut", func(_, b string) string { os.Truncate(b, 5*4096); return b }},
		{"empty", "the file is empty", func(_, b string) string { os.Truncate(b, 0); return b }},
		{"not there", "no such file", func(_, b string) string { return b + "x" }},
		{"a folder", "not a regular file", func(dir, _ string) string { return dir }},
		{"with a damaged record", "record \"anagrafe\"", func(_, b string) string {
			text, _ := os.ReadFile(b)
			os.WriteFile(b, []byte(strings.Replace(string(text), `"name":"Ufficio <anag`, `"name":"Ufficio <enag`, 1)), 0o600)
			return b
		}},
		{"the store itself", "the store itself", func(dir, _ string) string { return database(dir) }},
		{"the store itself by another name", "the store itself", func(dir, b string) string { os.Symlink(database(dir), b+"2"); return b + "2" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, backup := backedUp(t)
			backup = tc.spoil(dir, backup)
			before, _ := os.ReadFile(database(dir))
			if _, err := restoreFrom(dir, backup, clerk, now); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v; want %q", err, tc.want)
			}
			if after, _ := os.ReadFile(database(dir)); string(after) != string(before) {
				t.Error("the store was changed")
			}
			if files, _ := os.ReadDir(dir); len(files) != 2 {
				t.Errorf("left over: %v", files)
			}
			begin(t, dir)
		})
	}
}

func TestASecondRestoreKeepsBothStores(t *testing.T) {
	dir, backup := backedUp(t)
	for i := range 2 {
		if _, err := restoreFrom(dir, backup, clerk, now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := restoreFrom(dir, backup, clerk, now); err == nil || !strings.Contains(err.Error(), "wait a second") {
		t.Errorf("in the same second: %v", err)
	}
	if kept, _ := filepath.Glob(database(dir) + ".before-restore-*"); len(kept) != 2 {
		t.Errorf("kept: %s", kept)
	}
	r := sound(t, dir)
	if r.Records[policy.TableOffices] != 1 {
		t.Errorf("%+v", r)
	}
}
