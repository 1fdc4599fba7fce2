//go:build e2e

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// refuses checks that a start was refused in these words.
func refuses(t *testing.T, r result, says ...string) {
	t.Helper()
	if r.code != 1 || !strings.Contains(r.err, "error: ") || strings.Contains(r.err, "panic") || r.out != "" {
		t.Errorf("%s; want exit 1, an error and nothing on standard output", r)
	}
	for _, piece := range says {
		if !strings.Contains(r.err, piece) {
			t.Errorf("%s; want %q in it", r, piece)
		}
	}
}

func TestASettingsFileThatIsWrongIsRefusedWithLineAndColumn(t *testing.T) {
	for _, tc := range []struct{ name, yaml, says string }{
		{"an unknown key", "listen: [\"127.0.0.1:0\"]\nupstreem: {}\n", `usciere.yaml:2:1: unknown key "upstreem": did you mean upstream?`},
		{"an unknown key in a list", "zones:\n- name: a.test\n  recors: []\n", `usciere.yaml:3:3: unknown key "recors"`},
		{"a wrong type", "cache:\n  entries: tanti\n", `usciere.yaml:2:12: cache.entries: "tanti" is not a whole number`},
		{"a duration without a unit", "cache:\n  client_ttl: 300\n", "for seconds write 300s"},
		{"a prefix with host bits", "town:\n  site: [10.20.1.5/16]\n", "usciere.yaml:2:10"},
		{"an unknown sinkhole mode", "sinkhole: {mode: pagina}\n", "usciere.yaml:1:18"},
		{"what is no YAML", "town: [\n", "usciere.yaml:"},
		{"a name for an upstream", "upstream: {servers: [dns.example.it]}\n", "not a name"},
		{"a zone without records", "zones: [{name: a.test}]\n", "either file or records"},
		{"an unknown time zone", "town: {timezone: Europe/Massa}\n", "Europe/Massa"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			config := write(t, filepath.Join(dir, "usciere.yaml"), tc.yaml)
			refuses(t, served(t, "--config", config, "--state", dir+"/state"), tc.says)
			refuses(t, run(t, exec.Command(program, "check", "--config", config, "--state", dir+"/state")), tc.says)
			if _, err := os.Stat(dir + "/state"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a state folder was begun: %v", err)
			}
		})
	}
}

func TestAZoneFileWithAnErrorIsRefusedWithItsLine(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/intranet.zone", "@ A 192.0.2.1\nwww A 192.0.2.2\nposta A 192.0.2.300\n")
	config := write(t, dir+"/usciere.yaml", "listen: [\"127.0.0.1:0\"]\nupstream: {servers: [\"127.0.0.1:9\"]}\nzones: [{name: intranet.test, file: intranet.zone}]\n")
	refuses(t, served(t, "--config", config, "--state", dir+"/state"), "intranet.zone:3:", "192.0.2.300")
}

func TestAWrongFlagOfServeIsRefused(t *testing.T) {
	taken := freePort(t).String()
	for _, tc := range []struct {
		name string
		says []string
		args []string
	}{
		{"a name to listen on", []string{"--listen", "not a name"}, []string{"--listen", "ufficio:53"}},
		{"an address without a port", []string{"--listen", "has no port"}, []string{"--listen", "127.0.0.1"}},
		{"a port beyond 65535", []string{"--listen", "65535"}, []string{"--listen", "127.0.0.1:70000"}},
		{"an address of another machine", []string{"192.0.2.77", "not on this machine"}, []string{"--listen", "192.0.2.77:5353"}},
		{"a name as upstream", []string{"--upstream", "not a name"}, []string{"--upstream", "dns.example.it"}},
		{"an upstream that is itself", []string{"is this resolver itself"}, []string{"--listen", taken, "--upstream", taken}},
		{"an upstream that is itself by a wildcard", []string{"is this resolver itself"},
			[]string{"--listen", taken[strings.LastIndexByte(taken, ':'):], "--upstream", taken}},
		{"a socket path that is too long", []string{"107"}, []string{"--listen", "127.0.0.1:0", "--socket", "/run/" + strings.Repeat("x", 120)}},
		{"a settings file that is not there", []string{"/nowhere.yaml", "no such file"}, []string{"--config", "/nowhere.yaml"}},
		{"a state folder that is a file", []string{"must be a folder"}, []string{"--listen", "127.0.0.1:0", "--state", "/dev/null"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"--state", filepath.Join(t.TempDir(), "state")}, tc.args...)
			refuses(t, served(t, args...), tc.says...)
		})
	}
}

func TestASecondDaemonIsRefusedAndNamesTheFirst(t *testing.T) {
	d := demo(t)
	pid := "pid " + strconv.Itoa(d.cmd.Process.Pid)
	head := d.head()
	other := filepath.Join(t.TempDir(), "state")
	refuses(t, served(t, "--state", d.state, "--listen", "127.0.0.1:0"), "in use", d.state, pid, "--state")
	refuses(t, served(t, "--state", other, "--listen", d.addr.String()), d.addr.String(), pid, "--listen")
	refuses(t, served(t, "--state", other, "--listen", ":"+portOf(d.addr)), pid)
	refuses(t, served(t, "--state", other, "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--socket", d.socket), "another usciere answers", "--socket")
	if r := run(t, exec.Command(program, "check", "--state", d.state)); r.code != 0 || !strings.Contains(r.out, "not looked at: the daemon is using it") {
		t.Errorf("check beside a daemon: %s", r)
	}
	if now := d.head(); now != head {
		t.Errorf("the journal went from %s to %s", head, now)
	}
	if r := d.dig("127.10.1.5", "www.inps.it"); r.first() != "192.0.2.10" {
		t.Errorf("the first one does not answer any more: %s", r.text)
	}
}

func TestAPortThatTakesPrivilegesIsRefusedToOthersWithTheWayOut(t *testing.T) {
	asRoot(t)
	state := filepath.Join(t.TempDir(), "state")
	cmd := exec.Command(program, "serve", "--state", state)
	// A network of its own: there port 53 is free, and takes privileges whatever this machine's settings are.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Credential: nobody()}
	refuses(t, run(t, cmd), ":53", "CAP_NET_BIND_SERVICE", "--listen 127.0.0.1:5300")
}

func nobody(groups ...uint32) *syscall.Credential {
	return &syscall.Credential{Uid: 65534, Gid: 65534, Groups: groups}
}
