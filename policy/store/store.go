// Package store keeps the rules, the requests and the journal in one bbolt file, usciere.db in the state folder. One
// transaction makes one change: its records and its journal entries are on disk together, or not at all (S15).
//
// Beside the database stands the marker usciere.id, which says that a store was begun in this folder: should the
// database vanish, the daemon does not start on empty rules. Whatever is wrong with the files is an error that says
// what to do, never a crash and never a fresh start (S16).
package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"usciere/policy"
	"usciere/policy/journal"
)

// The files of a state folder.
const (
	databaseFile = "usciere.db"
	markerFile   = "usciere.id"
	newSuffix    = ".new" // of a file in the making; what a kill leaves of it is overwritten
)

// Options are how a store is opened.
type Options struct {
	ReadOnly bool             // change nothing on disk: for reading a store that no daemon holds
	Log      *slog.Logger     // nil: silence
	Now      func() time.Time // nil: time.Now
}

// Store is an open store; it implements policy.Store. Any number of goroutines may use it.
type Store struct {
	db       *bbolt.DB
	path     string // of the database
	folder   *os.File
	readOnly bool
	identity identity
	head     atomic.Pointer[journal.Head]

	mu     sync.Mutex // one Update at a time
	broken error      // why no Update is possible any more
}

// Open opens the store in a state folder; the folder and the store are made if they are missing. The store is locked
// until Close: a second Open is refused with ErrInUse and the process that holds it. Other errors are ErrDamaged,
// ErrNewer, ErrVanished, and with ReadOnly ErrNone; the rest are the file system's.
func Open(dir string, o Options) (*Store, error) { return open(dir, o, current) }

func open(dir string, o Options, l layout) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if !o.ReadOnly {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the state folder: %w", advise(err))
		}
	}
	folder, err := lockFolder(dir, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	s, err := openLocked(dir, o, l)
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	s.folder = folder
	return s, nil
}

// openLocked opens the store in a folder that this process has locked.
func openLocked(dir string, o Options, l layout) (*Store, error) {
	path := filepath.Join(dir, databaseFile)
	mark, marked, err := readMarker(dir)
	if err != nil {
		return nil, err
	}
	switch _, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist) && marked:
		return nil, fmt.Errorf("%w: %s is not there, but %s says that it was: restore a backup with `usciere restore FILE`, "+
			"or if this really is a new beginning remove %[3]s", ErrVanished, path, filepath.Join(dir, markerFile))
	case errors.Is(err, os.ErrNotExist) && o.ReadOnly:
		return nil, fmt.Errorf("%w in %s: `usciere serve` makes one", ErrNone, dir)
	case errors.Is(err, os.ErrNotExist):
		if err := create(path, l.format, o.Now()); err != nil {
			return nil, fmt.Errorf("make a new store in %s: %w", dir, advise(err))
		}
		o.Log.Info("made a new store", "path", path)
	case err != nil:
		return nil, fmt.Errorf("look for the store: %w", advise(err))
	}

	s, err := openDatabase(path, o, l, true)
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	if marked && mark.ID != s.identity.ID {
		return nil, errors.Join(fmt.Errorf("%w: %s is not the store that was begun in this folder: put the right one there, or a backup with "+
			"`usciere restore FILE`; if it belongs here remove %s", ErrDamaged, path, filepath.Join(dir, markerFile)), s.Close())
	}
	if mark != s.identity && !o.ReadOnly {
		if err := writeMarker(dir, s.identity); err != nil {
			return nil, errors.Join(fmt.Errorf("mark the state folder: %w", advise(err)), s.Close())
		}
	}
	return s, nil
}

// openDatabase opens a database file: its pages are checked before anything follows them, its format is brought up to
// date, with a copy kept of the old one if so wanted, and the end of its journal is verified.
func openDatabase(path string, o Options, l layout, keepOld bool) (*Store, error) {
	s := &Store{path: path, readOnly: o.ReadOnly}
	err := guard(func() error {
		db, err := openPages(path, o)
		if err != nil {
			return err
		}
		s.db = db
		if s.identity, err = readIdentity(db, l); err != nil {
			return err
		}
		if s.identity.Format < l.format {
			if o.ReadOnly {
				return fmt.Errorf("it has format %d, which `usciere serve` brings to format %d when it starts: start it first", s.identity.Format, l.format)
			}
			if err := s.migrate(l, keepOld, o.Log); err != nil {
				return fmt.Errorf("bring it from format %d to %d: %w", s.identity.Format, l.format, err)
			}
		}
		head, err := s.checkTables()
		if err != nil {
			return err
		}
		s.head.Store(&head)
		return s.verifyTail(head, tailEntries)
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openPages opens a bbolt file that exists and whose pages are sound.
func openPages(path string, o Options) (*bbolt.DB, error) {
	options := &bbolt.Options{
		Timeout:      lockPatience,
		ReadOnly:     o.ReadOnly,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(path string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(path, flag&^os.O_CREATE, mode) // bbolt would make an empty one
			if err != nil {
				return nil, advise(err)
			}
			older, err := checkPages(f)
			if err != nil {
				return nil, errors.Join(err, f.Close())
			}
			if older {
				o.Log.Warn("the spare meta page of the store is damaged; the next change writes it anew", "path", path)
			}
			return f, nil
		},
	}
	if !o.ReadOnly {
		// Address space only. While a reader is at work, a change could not map more, and would wait for it.
		options.InitialMmapSize = 1 << 30
	}
	db, err := bbolt.Open(path, 0o600, options)
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, inUse(path)
	}
	if err != nil {
		return nil, err
	}
	db.AllocSize = 1 << 20 // octets by which the file grows; with a mapping this large bbolt's own 16 MiB would begin at once
	return db, nil
}

// Close ends the use of the store. It waits for transactions.
func (s *Store) Close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	if s.folder != nil {
		err = errors.Join(err, s.folder.Close())
	}
	return err
}

// Head is the end of the journal.
func (s *Store) Head() journal.Head { return *s.head.Load() }

// View runs fn on one consistent state.
func (s *Store) View(fn func(policy.Tx) error) error {
	return guard(func() error {
		b, err := s.db.Begin(false)
		if err != nil {
			return fmt.Errorf("read the store: %w", err)
		}
		defer b.Rollback()
		head, err := readHead(b)
		if err != nil {
			return err
		}
		return fn(&tx{b: b, head: head})
	})
}

// Update makes one change: when it returns nil, all of it is on disk; when it returns an error, none of it. A change
// without a journal entry is refused with ErrNoEntry, unless it is one of the outbox or the aliases alone.
func (s *Store) Update(fn func(policy.Tx) error) error {
	if s.readOnly {
		return ErrReadOnly
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	committing := false
	err := guard(func() error {
		b, err := s.db.Begin(true)
		if err != nil {
			return fmt.Errorf("change the store: %w", err)
		}
		defer b.Rollback()
		t := &tx{b: b, head: s.Head()}
		if err := fn(t); err != nil {
			return err
		}
		switch {
		case !t.written:
			return nil
		case t.changed && t.head == s.Head():
			return ErrNoEntry
		}
		if err := t.put(metaTable, headKey, t.head); err != nil {
			return err
		}
		committing = true
		if err := b.Commit(); err != nil {
			return fmt.Errorf("write the change to %s: %w", s.path, advise(err))
		}
		s.head.Store(&t.head)
		return nil
	})
	if err != nil && committing {
		s.broken = s.afterFailedCommit(err)
	}
	return err
}

// afterFailedCommit says whether changes are possible after a commit that failed. A full disk can be freed. But a commit that
// failed in its last step, when the disk did not confirm the meta page, may have taken effect or not; only a restart, which
// reads the disk anew, tells.
func (s *Store) afterFailedCommit(failure error) error {
	if errors.Is(failure, ErrDamaged) {
		return failure
	}
	var found journal.Head
	err := s.View(func(t policy.Tx) error {
		found = t.(*tx).head
		return nil
	})
	if err == nil && found == s.Head() {
		return nil
	}
	return fmt.Errorf("the store %s takes no more changes, since the disk failed to confirm one: check the disk, then restart usciere", s.path)
}

// Backup writes a consistent copy of the database to w while the store is in use, and returns its length in octets. It
// refuses to write over the store's own file.
func (s *Store) Backup(w io.Writer) (n int64, err error) {
	if f, ok := w.(*os.File); ok {
		if same, err := sameFile(f, s.path); err != nil || same {
			return 0, errors.Join(fmt.Errorf("back up to %s: that is the store itself: choose another file", f.Name()), err)
		}
	}
	out := &errorKeeper{w: w}
	err = guard(func() error {
		return s.db.View(func(b *bbolt.Tx) error {
			n, err = b.WriteTo(out)
			return err
		})
	})
	if out.err != nil {
		err = out.err
	}
	if err != nil {
		return n, fmt.Errorf("write the backup: %w", advise(err))
	}
	return n, nil
}

// errorKeeper keeps the error of a writer, of which bbolt passes on the text only.
type errorKeeper struct {
	w   io.Writer
	err error
}

func (k *errorKeeper) Write(p []byte) (n int, err error) {
	n, k.err = k.w.Write(p)
	return n, k.err
}

func sameFile(f *os.File, path string) (bool, error) {
	a, err := f.Stat()
	if err != nil {
		return false, err
	}
	b, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return os.SameFile(a, b), nil
}
