package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxSocketPath in octets: sun_path of unix(7) has 108, the last a NUL.
const maxSocketPath = 107

// StateFolder is State, or the folder that stands for it when it is empty:
// the first of $STATE_DIRECTORY, which systemd sets (systemd.exec(5)), else
// usciere in $XDG_STATE_HOME, else in ~/.local/state (XDG Base Directory
// Specification). The folder need not exist.
func (s Settings) StateFolder() (string, error) {
	if s.State != "" {
		return filepath.Abs(s.State)
	}
	if first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); first != "" {
		return filepath.Abs(first)
	}
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "usciere"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", errors.New("no state folder: there is neither $STATE_DIRECTORY nor $HOME: give --state or set state")
	}
	return filepath.Join(home, ".local", "state", "usciere"), nil
}

// SocketPath is Admin.Socket, or admin.sock in the state folder when it is
// empty. A path that no Unix socket can have is an error.
func (s Settings) SocketPath() (string, error) {
	path := s.Admin.Socket
	if path == "" {
		folder, err := s.StateFolder()
		if err != nil {
			return "", err
		}
		path = filepath.Join(folder, "admin.sock")
	}
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("the path of the admin socket has %d octets, a Unix socket at most %d: give a shorter --socket or admin.socket (%s)", len(path), maxSocketPath, path)
	}
	return path, nil
}
