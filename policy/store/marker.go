package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// identity tells one store from another. It stands in the database and in the marker, in this form in every format.
type identity struct {
	ID      string    `json:"id"` // random
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
}

// readMarker reads the marker of a state folder; false when there is none.
func readMarker(dir string) (identity, bool, error) {
	path := filepath.Join(dir, markerFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return identity{}, false, nil
	}
	if err != nil {
		return identity{}, false, fmt.Errorf("read the marker of the state folder: %w", advise(err))
	}
	var id identity
	if err := json.Unmarshal(text, &id); err != nil || id.ID == "" {
		return identity{}, false, fmt.Errorf("%w: the marker %s cannot be read: if %s is there and is the right one, remove the marker, and it is written anew",
			ErrDamaged, path, databaseFile)
	}
	return id, true, nil
}

func writeMarker(dir string, id identity) error {
	return replaceFile(filepath.Join(dir, markerFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(id)
	})
}
