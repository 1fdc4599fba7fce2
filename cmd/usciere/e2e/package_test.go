//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built makes the Debian package of a version, and returns its path.
func built(t *testing.T, version string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "usciere.deb")
	make := exec.Command(tool(t, "make"), "deb", "DEB_VERSION="+version)
	make.Dir = repository
	if text, err := make.CombinedOutput(); err != nil {
		t.Fatalf("make deb: %v\n%s", err, text)
	}
	all, err := filepath.Glob(filepath.Join(repository, ".build", "usciere_*.deb"))
	if err != nil || len(all) != 1 {
		t.Fatalf("make deb made %q", all)
	}
	text, err := os.ReadFile(all[0])
	if err != nil {
		t.Fatal(err)
	}
	return write(t, out, string(text))
}

// cleanRoot is a Debian with nothing but what every Debian has.
func cleanRoot(t *testing.T) string {
	t.Helper()
	asRoot(t)
	root := filepath.Join(t.TempDir(), "root")
	t.Cleanup(func() {
		for _, mounted := range []string{"proc", "sys"} { // by debootstrap, and left behind when it fails
			_ = syscall.Unmount(filepath.Join(root, mounted), syscall.MNT_DETACH)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bootstrap := exec.CommandContext(ctx, tool(t, "debootstrap"), "--variant=minbase", "--include=systemd-standalone-sysusers", "bookworm", root, "http://deb.debian.org/debian")
	if text, err := bootstrap.CombinedOutput(); err != nil {
		t.Fatalf("debootstrap: %v\n%s", err, tail(string(text), 20))
	}
	return root
}

// The package is installed in a clean Debian, started there as the user that it made, upgraded, removed and purged; what the town decided
// outlives all of it.
func TestThePackageIsInstalledUpgradedAndRemoved(t *testing.T) {
	root := cleanRoot(t)
	inside := func(args ...string) result {
		return run(t, exec.Command(tool(t, "chroot"), append([]string{root}, args...)...))
	}
	must := func(args ...string) string {
		t.Helper()
		r := inside(args...)
		if r.code != 0 {
			t.Fatalf("%q: %s", args, r)
		}
		return r.out + r.err
	}
	install := func(version string) {
		t.Helper()
		text, err := os.ReadFile(built(t, version))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, "tmp", "usciere.deb"), string(text))
		must("dpkg", "-i", "/tmp/usciere.deb")
	}
	install("1.0.0")
	says(t, must("id", "usciere"), "(usciere)")
	must("getent", "group", "usciere-admin", "usciere-viewer")
	says(t, must("usciere", "check", "--config", "/etc/usciere/usciere.yaml"), "settings /etc/usciere/usciere.yaml ok")

	must("test", "-s", "/usr/share/man/man1/usciere-allow.1.gz")
	must("test", "-s", "/usr/share/usciere/grafana-dashboard.json")
	parts, err := os.ReadFile(filepath.Join(root, "usr/share/doc/usciere/usciere.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	says(t, string(parts), "CycloneDX", `"version": "1.0.0"`, "pkg:golang/github.com/miekg/dns@", "pkg:golang/go.etcd.io/bbolt@")

	for _, folder := range []string{"/var/lib/usciere", "/run/usciere"} { // as systemd makes them
		must("install", "-d", "-o", "usciere", "-g", "usciere", "-m", "755", folder)
	}
	started := func() *process {
		t.Helper()
		p := start(t, exec.Command(tool(t, "chroot"), "--userspec=usciere:usciere", root, "env", "STATE_DIRECTORY=/var/lib/usciere",
			"usciere", "serve", "--config", "/etc/usciere/usciere.yaml", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"))
		eventually(t, "it answers commands", func() bool { return inside("usciere", "status", "--socket", "/run/usciere/admin.sock").code == 0 })
		return p
	}
	ask := func(args ...string) string {
		return must(append([]string{"usciere", "--socket", "/run/usciere/admin.sock"}, args...)...)
	}
	p := started()
	ask("office", "add", "anagrafe", "--name", "Anagrafe", "--network", "10.20.1.0/24")
	says(t, ask("backup", "/root/usciere.backup"), "restore /root/usciere.backup --state /var/lib/usciere")
	p.end(syscall.SIGTERM)
	says(t, must("usciere", "restore", "/root/usciere.backup", "--config", "/etc/usciere/usciere.yaml"), "into /var/lib/usciere")
	must("usciere", "ca", "init", "--config", "/etc/usciere/usciere.yaml")
	if left := must("find", "/var/lib/usciere", "!", "-user", "usciere"); left != "" { // what root makes there is the daemon's
		t.Errorf("these are not the daemon's: %s", left)
	}

	config := filepath.Join(root, "etc/usciere/usciere.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, string(bytes.Replace(text, []byte("name: Comune\n"), []byte("name: Comune di Esempio\n"), 1)))
	install("1.0.1")
	p = started()
	says(t, ask("office", "list"), "anagrafe Anagrafe")
	says(t, ask("status"), "Comune di Esempio") // the settings are the town's own
	p.end(syscall.SIGTERM)

	must("dpkg", "--remove", "usciere")
	if r := inside("usciere", "version"); r.code == 0 {
		t.Error("after the removal it is still there")
	}
	says(t, must("dpkg", "--purge", "usciere"), "the rules and the journal stay in /var/lib/usciere")
	if _, err := os.Stat(filepath.Join(root, "var/lib/usciere/usciere.db")); err != nil {
		t.Errorf("the rules are gone: %v", err)
	}
}

// A container has the binary and nothing else, no time zones either.
func TestTheBinaryNeedsNothingBesideItself(t *testing.T) {
	asRoot(t)
	root := openFolder(t)
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "usciere"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "state"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(root, "state"), 65532, 65532); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "usciere.yaml"), "listen: [\"127.0.0.1:0\"]\ntown: {timezone: Europe/Rome, site: [127.10.0.0/16]}\nportal: {enabled: false}\n")
	cmd := exec.Command("/usciere", "serve", "--demo", "--config", "/usciere.yaml", "--state", "/state")
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	d := &daemon{state: filepath.Join(root, "state"), socket: filepath.Join(root, "state", "admin.sock")}
	d.process = start(t, cmd)
	d.awaitReady()
	if r := d.dig("127.10.1.5", "www.inps.it"); r.first() != "192.0.2.10" {
		t.Errorf("it answers %s", r.text)
	}
	d.stop()
}

func TestThePackageIsTheSameWheneverItIsBuilt(t *testing.T) {
	one, err := os.ReadFile(built(t, "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(repository, "README.md"), time.Unix(1_700_000_000, 0), time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(built(t, "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("two builds differ")
	}
}

func TestS20TheUnitIsConfined(t *testing.T) {
	for _, unit := range []string{"usciere.service", "usciere@.service"} {
		path := filepath.Join(repository, "cmd/usciere/packaging", unit)
		if strings.Contains(unit, "@") { // of one town
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			path = write(t, filepath.Join(t.TempDir(), "usciere@massa.service"), string(text))
		}
		r := run(t, exec.Command(tool(t, "systemd-analyze"), "security", "--offline=true", "--threshold=20", path))
		level := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(r.out)
		if level == nil {
			t.Fatalf("%s: %s", unit, r)
		}
		promised(t, "exposure of "+unit+", as systemd-analyze has it", level[1], "≤ 2.0", r.code == 0)
	}
}
