package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"usciere/policy"
)

// mountDisk mounts a file system in memory, of so many octets.
func mountDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", size)); err != nil {
		t.Skipf("mounting a small disk takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskRefusesChangesAndLosesNone(t *testing.T) {
	disk := mountDisk(t, 1<<20)
	dir := filepath.Join(disk, "state")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	live := addOffices(t, s, "anagrafe")
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)

	refused := 0
	for i := range 200 {
		head := s.Head()
		id := fmt.Sprintf("office-%d", i)
		_, err := live.Apply(clerk, policy.AddOffice{ID: id, Name: strings.Repeat("n", 200)})
		_, there := live.Snapshot().Office(id)
		switch {
		case there != (err == nil):
			t.Fatalf("%s: in force %v, %v", id, there, err)
		case err == nil:
			continue
		case !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room; nothing was changed"):
			t.Fatalf("got %v", err)
		case s.Head() != head:
			t.Fatal("the head went on")
		}
		if _, _, err := s.VerifyJournal(); err != nil {
			t.Fatal(err)
		}
		if refused++; refused == 3 {
			break
		}
	}
	if refused == 0 {
		t.Fatal("the disk was never full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Apply(clerk, policy.AddOffice{ID: "tributi", Name: "Tributi"}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	s.Close()
	sound(t, dir)
}

// fill fills the disk with a file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

func TestAFullDiskAtTheFirstStartLeavesNothingBehind(t *testing.T) {
	disk := mountDisk(t, 64<<10)
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	if _, err := Open(disk, Options{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s, err := Open(disk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	sound(t, disk)
}

func TestAReadOnlyDiskIsRefusedAndCanBeRead(t *testing.T) {
	disk := mountDisk(t, 1<<20)
	dir := filepath.Join(disk, "state")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	addOffices(t, s, "anagrafe")
	s.Close()
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{dir, filepath.Join(disk, "new"), disk} {
		if _, err := Open(folder, Options{}); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "choose another folder with --state") {
			t.Errorf("%s: %v", folder, err)
		}
	}
	if _, err := restoreFrom(dir, database(dir), clerk, now); err == nil {
		t.Error("restored on a read-only disk")
	}
	if r := sound(t, dir); r.Records[policy.TableOffices] != 1 {
		t.Errorf("%+v", r)
	}
}
