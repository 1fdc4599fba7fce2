//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk mounts a small file system for the time of the test.
func disk(t *testing.T, megabytes int) string {
	t.Helper()
	asRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		t.Skipf("mounting a disk is not possible here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(err)
	}
}

func TestS16AReadOnlyDiskIsRefusedAndTheStateIsIntactAfterwards(t *testing.T) {
	dir := disk(t, 16)
	d := serve(t, setup{args: []string{"--demo"}, state: dir + "/state"})
	head := d.head()
	d.stop()
	remount(t, dir, syscall.MS_RDONLY)
	refuses(t, served(t, "--state", dir+"/state", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"), "read-only", "--state")
	refuses(t, served(t, "--state", dir+"/new", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"), "read-only", "--state")
	remount(t, dir, 0)
	if d = d.again("--demo"); d.head() != head {
		t.Errorf("the journal went from %s to %s", head, d.head())
	}
}

func TestS16AFullDiskRefusesChangesAndTheDaemonGoesOn(t *testing.T) {
	dir := disk(t, 16)
	d := serve(t, setup{args: []string{"--demo"}, state: dir + "/state"})
	// The ballast leaves next to nothing; changes then go on until the database must grow.
	if out, err := exec.Command("dd", "if=/dev/zero", "of="+dir+"/ballast", "bs=64k", "count=1000").CombinedOutput(); err == nil {
		t.Fatalf("the disk did not fill: %s", out)
	}
	var refusal result
	acked := 0
	begun := time.Now()
	for n := 0; ; n++ {
		var names []string
		for i := range 200 {
			names = append(names, fmt.Sprintf("n%d-%d.example.org", n, i))
		}
		args := append([]string{"allow", "--office", "cultura", "--protocol", fmt.Sprintf("%d/2026", 5000+n), "--reason", "prova"}, names...)
		if refusal = d.usciere(args...); refusal.code != 0 {
			break
		}
		if acked++; time.Since(begun) > 6*patience {
			t.Skip("the disk never filled")
		}
	}
	if refusal.code != 1 || !strings.Contains(refusal.err, "full") && !strings.Contains(refusal.err, "space") {
		t.Errorf("the refusal does not name the full disk: %s", refusal)
	}
	head := d.head()
	if r := d.dig("127.10.1.5", "www.inps.it"); r.first() != "192.0.2.10" {
		t.Errorf("it does not answer any more: %s", r.text)
	}
	if out, err := exec.Command("rm", dir+"/ballast").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	d.must("allow", "www.example.org", "--office", "cultura", "--protocol", "9000/2026", "--reason", "prova")
	if d.head() == head {
		t.Error("there is room again, but the change was not made")
	}
	d.verify()
	d.kill()
	d = d.again("--demo")
	d.verify()
	if r := d.dig("127.10.5.5", "www.example.org"); r.first() != "203.0.113.12" {
		t.Errorf("the change after the full disk is lost (%d were acknowledged before): %s", acked, r.text)
	}
}
