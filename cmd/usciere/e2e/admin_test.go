//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"usciere/policy"
)

// curl gives a command with curl, as another user if cred says so, and returns the HTTP status and the body.
func curl(t testing.TB, d *daemon, cred *syscall.Credential, args ...string) (status int, body string) {
	t.Helper()
	cmd := exec.Command(tool(t, "curl"), append([]string{"-sS", "--max-time", "10", "-w", "\n%{http_code}", "--unix-socket", d.socket}, args...)...)
	if cred != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	}
	r := run(t, cmd)
	if r.code != 0 {
		t.Fatalf("curl %q: %s", args, r)
	}
	i := strings.LastIndexByte(r.out, '\n')
	status, err := strconv.Atoi(r.out[i+1:])
	if err != nil {
		t.Fatalf("curl %q: %s", args, r)
	}
	return status, r.out[:i]
}

const base = "http://usciere"

func TestS19TheSocketIsPlainHTTPAndJSON(t *testing.T) {
	var n tally
	d := demo(t)
	post := func(path, body string) []string {
		return []string{"-H", "Content-Type: application/json", "-d", body, base + path}
	}
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"status", []string{base + "/v1/status"}, 200, `"town":"Comune Demo"`},
		{"explain", []string{base + "/v1/explain?client=127.10.1.5&name=www.inps.it"}, 200, `"action":"allow"`},
		{"a change", post("/v1/network/add", `{"office":"cultura","network":"127.10.55.0/24"}`), 200, "127.10.55.0/24"},
		{"a change that clashes", post("/v1/network/add", `{"office":"cultura","network":"127.10.1.0/24"}`), 409, `"code":"conflict"`},
		{"an unknown field", post("/v1/network/add", `{"office":"cultura","network":"127.10.56.0/24","colour":"red"}`), 400, "colour"},
		{"a field twice", post("/v1/network/add", `{"office":"cultura","office":"tributi","network":"127.10.56.0/24"}`), 400, "office"},
		{"two values", post("/v1/network/add", `{"office":"cultura","network":"127.10.56.0/24"}{}`), 400, "follows"},
		{"no JSON", post("/v1/network/add", `office=cultura`), 400, `"hint"`},
		{"an unknown parameter", []string{base + "/v1/status?colour=red"}, 400, "colour"},
		{"a path that is not there", []string{base + "/v1/nothing"}, 404, `"code":"not-found"`},
		{"another version", []string{base + "/v2/status"}, 404, "version 1"},
		{"the wrong method", []string{"-X", "DELETE", base + "/v1/status"}, 405, "GET"},
		{"a path with tricks", []string{"--path-as-is", base + "/v1/../v1/status"}, 404, "not-found"},
		{"an upgrade to h2c", []string{"-H", "Connection: Upgrade, HTTP2-Settings", "-H", "Upgrade: h2c", "-H", "HTTP2-Settings: AAMAAABkAAQAAP__", base + "/v1/status"}, 200, "Comune Demo"},
	} {
		n.run(t, tc.name, func(t *testing.T) {
			if status, body := curl(t, d, nil, tc.args...); status != tc.status || !strings.Contains(body, tc.says) {
				t.Errorf("status %d: %s; want %d with %q", status, body, tc.status, tc.says)
			}
		})
	}
	big := write(t, t.TempDir()+"/big", `{"office":"`+strings.Repeat("x", 2<<20)+`"}`)
	if status, body := curl(t, d, nil, "-H", "Content-Type: application/json", "-H", "Expect:", "--data-binary", "@"+big, base+"/v1/network/add"); status != 400 && status != 413 {
		t.Errorf("2 MiB: status %d: %s", status, body)
	}
	none(t, "wrong replies of the admin socket to odd requests", n.wrong, n.all)
}

// openFolder is a folder that every user may enter, which t.TempDir is not.
func openFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "usciere-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func gidOf(t testing.TB, name string) uint32 {
	t.Helper()
	g, err := user.LookupGroup(name)
	if err != nil {
		t.Skipf("there is no group %s on this machine", name)
	}
	n, err := strconv.ParseUint(g.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func TestS19WhoMayDoWhatIsDecidedByTheKernelsWordOnThePeer(t *testing.T) {
	var n tally
	asRoot(t)
	const admins, viewers = "games", "users" // groups of every Debian system; nobody is in neither
	dir := openFolder(t)
	config := write(t, dir+"/usciere.yaml", fmt.Sprintf(
		"listen: [\"127.0.0.1:0\"]\nstate: state\nadmin: {socket: admin.sock, group: %s, viewers: %s}\nupstream: {servers: [\"127.0.0.1:9\"]}\n", admins, viewers))
	d := serve(t, setup{args: []string{"--config", config}, state: dir + "/state", socket: dir + "/admin.sock"})
	change := func(network string) []string {
		return []string{"-H", "Content-Type: application/json", "-d", fmt.Sprintf(`{"id":"o%s","name":"Ufficio","mailbox":"u@comune.it","networks":["127.10.%[1]s.0/24"]}`, network), base + "/v1/office/add"}
	}
	backup := []string{"-o", "/dev/null", base + "/v1/backup"}
	for _, tc := range []struct {
		name                 string
		cred                 *syscall.Credential
		read, change, backup int
	}{
		{"root", nil, 200, 200, 200},
		{"nobody", nobody(), 403, 403, 403},
		{"a member of the viewers", nobody(gidOf(t, viewers)), 200, 403, 403},
		{"a member of the admins", nobody(gidOf(t, admins)), 200, 200, 200},
		{"one whose own group is the admins'", &syscall.Credential{Uid: 65534, Gid: gidOf(t, admins)}, 200, 200, 200},
		{"a member of many groups", nobody(append(many(2000, 60), gidOf(t, viewers))...), 200, 403, 403},
	} {
		n.run(t, tc.name, func(t *testing.T) {
			head := d.head()
			if status, body := curl(t, d, tc.cred, base+"/v1/status"); status != tc.read {
				t.Errorf("read: status %d: %s; want %d", status, body, tc.read)
			}
			status, body := curl(t, d, tc.cred, change(strconv.Itoa(len(tc.name)))...)
			if status != tc.change {
				t.Errorf("change: status %d: %s; want %d", status, body, tc.change)
			}
			if status == 403 && !strings.Contains(body, admins) {
				t.Errorf("the refusal does not name the group to ask for: %s", body)
			}
			if changed := d.head() != head; changed != (tc.change == 200) {
				t.Errorf("changed is %v", changed)
			}
			if status, body := curl(t, d, tc.cred, backup...); status != tc.backup {
				t.Errorf("backup: status %d: %s; want %d", status, body, tc.backup)
			}
		})
	}
	// The command says the same, and what to do.
	cmd := d.command("office", "remove", "o4")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody(gidOf(t, viewers))}
	if r := run(t, cmd); r.code != 1 || !strings.Contains(r.err, "may not change the rules") || !strings.Contains(r.err, admins) {
		t.Errorf("%s", r)
	}
	none(t, "users who could do what is not theirs", n.wrong, n.all)
}

func many(from, n uint32) (groups []uint32) {
	for i := range n {
		groups = append(groups, from+i)
	}
	return groups
}

func TestEveryChangeIsJournalledWithWhoMadeIt(t *testing.T) {
	d := demo(t)
	cmd := d.command("allow", "www.example.org", "--office", "cultura", "--protocol", "90/2026", "--reason", "prova")
	if r := run(t, cmd); r.code != 0 {
		t.Fatal(r)
	}
	var page struct {
		Entries []struct {
			Kind, Office, Request string
			Actor                 policy.Actor
		}
	}
	if err := json.Unmarshal([]byte(d.must("journal", "-o", "json", "--limit", "1")), &page); err != nil || len(page.Entries) != 1 {
		t.Fatalf("%v: %+v", err, page)
	}
	e := page.Entries[0]
	if e.Kind != "grant.add" || e.Office != "cultura" || !strings.Contains(e.Request, "90/2026") || e.Actor.UID != uint32(os.Getuid()) || e.Actor.PID != int32(cmd.Process.Pid) {
		t.Errorf("the entry is %+v; the command had pid %d", e, cmd.Process.Pid)
	}
	if u, err := user.Current(); err != nil || e.Actor.Name != u.Username {
		t.Errorf("the entry is by %q", e.Actor.Name)
	}
}

func TestADeadSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	d := demo(t)
	d.kill()
	if _, err := os.Stat(d.socket); err != nil {
		t.Fatalf("the kill left no socket: %v", err)
	}
	d = d.again("--demo")
	other := filepath.Join(t.TempDir(), "state")
	args := []string{"--state", other, "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--socket"}
	refuses(t, served(t, append(args, d.socket)...), "another usciere answers on "+d.socket)
	file := write(t, t.TempDir()+"/file", "no socket")
	refuses(t, served(t, append(args, file)...), "something else is there")
	if text, err := os.ReadFile(file); err != nil || string(text) != "no socket" {
		t.Errorf("the file is %q, %v", text, err)
	}
	d.status()
	if info, err := os.Stat(d.socket); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket is %v, %v; want mode 0666", info.Mode(), err)
	}
}

func TestS19SlowAndManyPeersDoNotKeepOthersOut(t *testing.T) {
	d := demo(t)
	for i := range 1000 {
		conn, err := net.DialTimeout("unix", d.socket, 100*time.Millisecond)
		if err != nil {
			break // the queue of the socket is full: as good as refused
		}
		defer conn.Close()
		if i%2 == 0 {
			_, _ = conn.Write([]byte("POST /v1/office/add HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n")) // closed at once beyond the limit
		}
	}
	if r := d.dig("127.10.1.5", "www.inps.it"); r.first() != "192.0.2.10" {
		t.Errorf("DNS suffers: %s", r.text)
	}
	begun := time.Now()
	eventually(t, "a command gets through", func() bool {
		status, err := d.try("GET", "/v1/status", nil, nil)
		return err == nil && status == 200
	})
	t.Logf("after %s", time.Since(begun))
}
