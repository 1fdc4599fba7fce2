package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// writeFile writes a file, over what is there, and returns when it is on disk. The name of a new file is on disk only after
// syncFolder.
func writeFile(path string, content func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// replaceFile writes a file so that there is the old one or the whole new one, whenever the power is cut.
func replaceFile(path string, content func(io.Writer) error) error {
	if err := writeFile(path+newSuffix, content); err != nil {
		return err
	}
	return moveInto(path+newSuffix, path)
}

// moveInto puts a file that is on disk in the place of another, or in an empty one.
func moveInto(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// syncFolder brings the names in a folder to disk.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
