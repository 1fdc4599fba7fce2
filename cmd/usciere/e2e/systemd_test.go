//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// systemd gives the machine's network and names into the hands of systemd, as on many desktops: networkd gets a lease at eth0, and
// resolved answers the programs at 127.0.0.53 with the server that the lease names. It returns when resolved knows it.
func (m *machine) systemd() {
	m.t.Helper()
	m.resolves("127.0.0.53")
	m.do("mount", "-t", "tmpfs", "tmpfs", "/run")
	m.do("mount", "-t", "sysfs", "-o", "ro", "sysfs", "/sys") // read-only: there is no udev to wait for
	m.do("mkdir", "-p", "/run/systemd/network")
	root := filepath.Join("/proc", m.pid, "root") // the machine's files, from here
	write(m.t, root+"/run/systemd/network/eth0.network", "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLLMNR=no\n[DHCPv4]\nUseDomains=yes\n")
	users, err := os.ReadFile("/etc/passwd")
	if err != nil {
		m.t.Fatal(err)
	}
	write(m.t, root+"/run/passwd", "systemd-network:x:64998:64998::/:/usr/sbin/nologin\nsystemd-resolve:x:64997:64997::/:/usr/sbin/nologin\n"+string(users))
	m.do("mount", "--bind", "/run/passwd", "/etc/passwd")

	start(m.t, m.command("/lib/systemd/systemd-networkd"))
	start(m.t, m.command(tool(m.t, "env"), "LD_LIBRARY_PATH="+filepath.Dir(unpacked(m.t, "libsystemd-shared/usr/lib/*/systemd/libsystemd-shared-*.so")), unpacked(m.t, "systemd-resolved/lib/systemd/systemd-resolved")))
	eventually(m.t, "resolved knows the server of the lease", func() bool {
		text, _ := os.ReadFile(root + "/run/systemd/resolve/resolv.conf")
		return strings.Contains(string(text), "\nnameserver "+hallAddress+"\n")
	})
	m.do("mount", "--bind", "/run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf")
}

// unpacked is the path of a file of a Debian package that is here without being installed.
func unpacked(t testing.TB, pattern string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(repository, ".build", "debian"))
	if err != nil {
		t.Fatal(err)
	}
	found, _ := filepath.Glob(filepath.Join(dir, pattern))
	if len(found) == 0 {
		t.Fatalf("%s is missing: `make e2e` installs what these tests need", pattern)
	}
	return found[0]
}
