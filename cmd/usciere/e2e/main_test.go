//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// program is the path of the binary under test, built once; every user of the machine may run it.
var program string

// repository is the folder of README.md and go.mod.
const repository = "../../.."

func TestMain(m *testing.M) {
	os.Exit(runWithBinary(m))
}

func runWithBinary(m *testing.M) int {
	dir, err := os.MkdirTemp("", "usciere-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// What the servers under test need beyond the usual folders, and nothing of the machine's own usciere.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/usr/local/go/bin")
	os.Unsetenv("USCIERE_SOCKET")
	os.Unsetenv("STATE_DIRECTORY")
	program = filepath.Join(dir, "usciere")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./cmd/usciere")
	build.Dir = repository
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := writeFigures(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// tool is a program that a test needs.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: `make e2e` installs what these tests need", name)
	}
	return path
}

// asRoot skips a test that must change user, mount or unshare, when it cannot.
func asRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it becomes other users or mounts a disk")
	}
}

// patience is how long anything is waited for that should come at once.
const patience = 10 * time.Second

// eventually calls ok until it is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("after %s still not so: %s", patience, what)
		}
	}
}

// number is a figure from the environment, such as USCIERE_FAULTS.
func number(t testing.TB, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number from 1", variable, text)
	}
	return n
}

// write makes a file that every user may read.
func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func portOf(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
