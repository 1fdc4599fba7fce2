package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// Restored tells what Restore did. It is also the body of the journal entry.
type Restored struct {
	Backup   string        `json:"backup"`             // the file's name
	Head     journal.Head  `json:"head"`               // of the backup's journal; that of the store is one entry later
	Replaced *journal.Head `json:"replaced,omitempty"` // of the store that was there, if it could be read
	Kept     string        `json:"kept,omitempty"`     // name of the file that keeps the store that was there, if there was one
}

// Restore puts a backup, which is left open, in the place of the store in a state folder, which no daemon may use meanwhile (ErrInUse). The backup is
// checked through and through before anything changes; the database that was there is kept beside it. The journal of the restored
// store goes on with an entry of kind store.restore that says what was replaced.
func Restore(dir string, backup *os.File, by policy.Actor, now time.Time) (Restored, error) {
	done, err := restore(dir, backup, by, now.UTC(), current)
	if err != nil {
		return Restored{}, fmt.Errorf("restore %s to %s: %w", backup.Name(), dir, err)
	}
	return done, nil
}

func restore(dir string, backup *os.File, by policy.Actor, now time.Time, l layout) (Restored, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Restored{}, advise(err)
	}
	folder, err := lockFolder(dir, false)
	if err != nil {
		return Restored{}, err
	}
	defer folder.Close()

	path := filepath.Join(dir, databaseFile)
	fresh := path + newSuffix
	if err := copyBackup(backup, path, fresh); err != nil {
		return Restored{}, err
	}
	done := Restored{Backup: filepath.Base(backup.Name())}
	if _, err := os.Lstat(path); err == nil {
		done.Kept = databaseFile + ".before-restore-" + now.Format("20060102T150405Z")
		done.Replaced = headOf(path, l)
	}
	id, err := prepare(fresh, dir, &done, by, now, l)
	if err != nil {
		return Restored{}, errors.Join(err, os.Remove(fresh))
	}
	if done.Kept != "" {
		if err := keep(path, filepath.Join(dir, done.Kept)); err != nil {
			return Restored{}, errors.Join(err, os.Remove(fresh))
		}
	}
	if err := moveInto(fresh, path); err != nil {
		return Restored{}, advise(err)
	}
	if err := writeMarker(dir, id); err != nil {
		return Restored{}, advise(err)
	}
	return done, nil
}

// copyBackup copies the backup to a file of the state folder.
func copyBackup(backup *os.File, path, fresh string) error {
	if same, err := sameFile(backup, path); err == nil && same {
		return errors.New("that is the store itself: give the file that `usciere backup` wrote")
	}
	if _, err := checkPages(backup); err != nil {
		return fmt.Errorf("this backup cannot be used, try an older one: %w", err)
	}
	err := writeFile(fresh, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(backup, 0, math.MaxInt64))
		return err
	})
	if err != nil {
		return errors.Join(advise(err), os.Remove(fresh))
	}
	return nil
}

// prepare checks the copy of a backup and makes it this folder's own: it takes the identity that the marker gives, so that
// at no instant the two disagree, and a journal entry.
func prepare(fresh, dir string, done *Restored, by policy.Actor, now time.Time, l layout) (identity, error) {
	s, err := openDatabase(fresh, Options{Log: slog.New(slog.DiscardHandler)}, l, false)
	if err != nil {
		return identity{}, fmt.Errorf("this backup cannot be used, try an older one: %w", err)
	}
	defer s.Close()
	if err := s.check(new(Report)); err != nil {
		return identity{}, fmt.Errorf("this backup cannot be used, try an older one: %w", err)
	}
	id := s.identity
	if mark, ok, err := readMarker(dir); err == nil && ok {
		id.ID, id.Created = mark.ID, mark.Created
	}
	done.Head = s.Head()
	err = s.Update(func(t policy.Tx) error {
		if err := t.Put(metaTable, identityKey, id); err != nil {
			return err
		}
		return t.Journal(policy.Entry{Time: now, Actor: by, Kind: "store.restore", Body: done})
	})
	if err != nil {
		return identity{}, err
	}
	return id, s.Close()
}

// headOf is the head of a database that may well be damaged.
func headOf(path string, l layout) *journal.Head {
	s, err := openDatabase(path, Options{ReadOnly: true, Log: slog.New(slog.DiscardHandler)}, l, false)
	if err != nil {
		return nil
	}
	defer s.Close()
	head := s.Head()
	return &head
}

// keep gives a file a second name, so that it is never without one; on a file system without links it is renamed.
func keep(path, as string) error {
	err := os.Link(path, as)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("keep the store that was there: %w: wait a second and repeat it", err)
	}
	if err != nil {
		err = os.Rename(path, as)
	}
	if err != nil {
		return fmt.Errorf("keep the store that was there: %w", advise(err))
	}
	return nil
}
