package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// snapshotPath is where the answer cache outlives a restart.
func (d *daemon) snapshotPath() string { return filepath.Join(d.folder, "cache.snapshot") }

// loadCache takes in what the last run left, and removes it: whatever ends this run, answers that were flushed do not come
// back. A snapshot that cannot be used is not worth more than a warning; without persist, it is only removed.
func (d *daemon) loadCache(persist bool) {
	path := d.snapshotPath()
	if persist {
		n, err := d.readCache(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return
		case err != nil:
			d.log.Warn("the answers of the last run are lost: the cache starts empty", "file", path, "error", err)
		default:
			d.log.Info("cache read", "answers", n)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("remove the snapshot of the cache", "error", err)
	}
}

func (d *daemon) readCache(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return d.cache.Load(f, time.Now())
}

// saveCache leaves the answers to the next run.
func (d *daemon) saveCache() {
	answers := 0
	_, err := writeWhole(d.snapshotPath(), true, func(w io.Writer) (int64, error) {
		var err error
		answers, err = d.cache.Save(w, time.Now())
		return int64(answers), err
	})
	if err != nil {
		d.log.Warn("the answers of this run are lost: the cache was not written", "error", err)
		return
	}
	d.log.Info("cache written", "answers", answers)
}
