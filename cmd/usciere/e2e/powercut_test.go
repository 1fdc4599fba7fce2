//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// extShutdown is ext4's ioctl EXT4_IOC_SHUTDOWN, with the way that loses what is not on the disk yet, the journal's log included.
const (
	extShutdown   = 0x8004587D
	withoutTheLog = 2
)

// cuttable is a disk of its own, with ext4, whose power can be cut.
type cuttable struct {
	t          testing.TB
	image, dir string
}

func newCuttable(t testing.TB) *cuttable {
	t.Helper()
	asRoot(t)
	c := &cuttable{t: t, image: filepath.Join(t.TempDir(), "disk"), dir: t.TempDir()}
	if err := os.WriteFile(c.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(c.image, 64<<20); err != nil {
		t.Fatal(err)
	}
	if r := run(t, exec.Command(tool(t, "mkfs.ext4"), "-q", c.image)); r.code != 0 {
		t.Fatal(r)
	}
	c.mount()
	t.Cleanup(c.unmount)
	return c
}

func (c *cuttable) mount() {
	c.t.Helper()
	if r := run(c.t, exec.Command(tool(c.t, "mount"), "-o", "loop", c.image, c.dir)); r.code != 0 {
		c.t.Skipf("a disk cannot be mounted here: %s", r)
	}
}

func (c *cuttable) unmount() { _ = exec.Command("umount", c.dir).Run() }

// cut ends all writing to the disk, from one moment to the next.
func (c *cuttable) cut() {
	c.t.Helper()
	f, err := os.Open(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), extShutdown, withoutTheLog); err != nil {
		c.t.Skipf("this kernel cannot cut a disk's power: %v", err)
	}
}

// The power fails in the middle of changes: when the disk is back, it has every change that was acknowledged.
func TestS15NoAcknowledgedChangeIsLostToAPowerCut(t *testing.T) {
	disk := newCuttable(t)
	cuts := part(t, 200)
	d := serve(t, setup{args: []string{"--demo"}, state: filepath.Join(disk.dir, "state")})
	s := &stream{acked: map[string]bool{}}
	var slowest time.Duration
	for n := range cuts {
		s.begin(d)
		time.Sleep(time.Duration(rand.IntN(150_000)) * time.Microsecond) // the random instant
		disk.cut()
		time.Sleep(10 * time.Millisecond) // the daemon still runs, and must acknowledge nothing that is not on the disk
		d.kill()
		s.end()
		disk.unmount()
		disk.mount()
		begun := time.Now()
		d = d.again("--demo")
		m := d.ask("127.10.1.5", "www.inps.it", dns.TypeA)
		slowest = max(slowest, time.Since(begun))
		if len(m.Answer) != 1 {
			t.Fatalf("cut %d: it does not serve again:\n%s", n, m)
		}
		d.verify()
		if lost := s.lost(d); len(lost) > 0 {
			t.Fatalf("cut %d: %d of %d acknowledged changes are lost: %v", n, len(lost), len(s.acked), lost)
		}
	}
	none(t, fmt.Sprintf("acknowledged changes lost to %d power cuts", cuts), 0, len(s.acked))
	inTime(t, "serving again after a power cut", slowest, time.Second)
	if len(s.acked) < cuts {
		t.Errorf("only %d changes were acknowledged in %d rounds: this shows little", len(s.acked), cuts)
	}
	d.kill()
}
