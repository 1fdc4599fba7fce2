package listen

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// socketLine writes a line as /proc/net/udp has it on this machine's byte order.
func socketLine(local string, state uint8, inode uint64) string {
	a := netip.MustParseAddrPort(local)
	octets := a.Addr().AsSlice()
	for w := octets; len(w) > 0; w = w[4:] {
		binary.BigEndian.PutUint32(w, binary.NativeEndian.Uint32(w))
	}
	return fmt.Sprintf("  42: %s:%04X 00000000:0000 %02X 00000000:00000000 00:00000000 00000000   101        0 %d 2 0000000000000000 0",
		strings.ToUpper(hex.EncodeToString(octets)), a.Port(), state, inode)
}

func TestParseSocketLine(t *testing.T) {
	for _, local := range []string{"127.0.0.53:53", "0.0.0.0:5300", "[::]:53", "[fd00::2]:65535"} {
		got, state, inode, ok := parseSocketLine(socketLine(local, 7, 4711))
		if !ok || got.String() != local || state != 7 || inode != 4711 {
			t.Errorf("%s: got %s, %d, %d, %v", local, got, state, inode, ok)
		}
	}
	if got, _, _, _ := parseSocketLine(socketLine("[::ffff:10.0.0.1]:53", 7, 1)); got.String() != "10.0.0.1:53" {
		t.Errorf("a mapped address is %s", got)
	}
	good := socketLine("127.0.0.1:53", 7, 4711)
	for _, line := range []string{
		"", "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
		good[:60], strings.Replace(good, ":0035", ":10035", 1), strings.Replace(good, ":0035", "", 1), strings.Replace(good, "4711", "-1", 1),
		strings.Replace(good, " 07 ", " 107 ", 1),
	} {
		if local, _, _, ok := parseSocketLine(line); ok {
			t.Errorf("%q is read as %s", line, local)
		}
	}
}

func FuzzParseSocketLine(f *testing.F) {
	f.Add(socketLine("127.0.0.1:53", 7, 4711))
	f.Add(socketLine("[fd00::2]:53", 10, 1))
	f.Fuzz(func(t *testing.T, line string) {
		local, state, inode, ok := parseSocketLine(line)
		if !ok {
			return
		}
		again, state2, inode2, ok := parseSocketLine(socketLine(local.String(), state, inode))
		if !ok || again != local || state2 != state || inode2 != inode {
			t.Errorf("%s, %d, %d came back as %s, %d, %d", local, state, inode, again, state2, inode2)
		}
	})
}

func FuzzParseSocketLink(f *testing.F) {
	f.Add("socket:[4711]")
	f.Add("pipe:[1]")
	f.Fuzz(func(t *testing.T, target string) {
		if inode, ok := parseSocketLink(target); ok {
			if again, ok := parseSocketLink(fmt.Sprintf("socket:[%d]", inode)); !ok || again != inode {
				t.Errorf("%q is %d", target, inode)
			}
		}
	})
}

func TestSocketOwner(t *testing.T) {
	proc := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(proc, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	process := func(pid, comm string, inode int) {
		write(pid+"/comm", comm+"\n")
		os.MkdirAll(filepath.Join(proc, pid, "fd"), 0o755)
		if err := os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(proc, pid, "fd", "7")); err != nil {
			t.Fatal(err)
		}
	}
	lines := func(l ...string) string { return "header\n" + strings.Join(l, "\n") + "\n" }
	write("net/udp", lines(socketLine("127.0.0.53:53", 7, 100), socketLine("10.0.0.1:5300", 7, 101)))
	write("net/udp6", lines(socketLine("[::]:53", 7, 102), socketLine("[::]:7000", 7, 103)))
	write("net/tcp", lines(socketLine("10.0.0.1:53", 1, 104), socketLine("10.0.0.1:7000", 10, 999)))
	process("612", "systemd-resolve", 100)
	process("700", "named", 101)
	process("800", "unbound", 102)
	process("900", "dual stack", 103)
	process("950", "a client", 104)
	cases := []struct {
		network, addr string
		pid           int
		program       string
	}{
		{"udp", "0.0.0.0:53", 612, "systemd-resolve"},
		{"udp", "127.0.0.53:53", 612, "systemd-resolve"},
		{"udp", "10.0.0.1:5300", 700, "named"},
		{"udp", "10.0.0.2:5300", 0, ""},
		{"udp", "[::1]:53", 800, "unbound"},
		{"udp", "[::]:53", 800, "unbound"},
		{"udp", "10.0.0.1:7000", 900, "dual stack"},
		{"tcp", "10.0.0.1:53", 0, ""},
		{"tcp", "10.0.0.1:7000", 0, ""},
	}
	for _, c := range cases {
		pid, program := socketOwner(proc, c.network, netip.MustParseAddrPort(c.addr))
		if pid != c.pid || program != c.program {
			t.Errorf("%s %s: %d %q, want %d %q", c.network, c.addr, pid, program, c.pid, c.program)
		}
	}
}

func TestInUseErrorNamesTheWayOut(t *testing.T) {
	cases := []struct {
		err  InUseError
		want string
	}{
		{InUseError{Network: "udp", Addr: "0.0.0.0:53", PID: 612, Program: "systemd-resolve"},
			"listen on udp 0.0.0.0:53: the port is taken by systemd-resolved (pid 612): " +
				"set DNSStubListener=no in /etc/systemd/resolved.conf, then systemctl restart systemd-resolved"},
		{InUseError{Network: "tcp", Addr: "[::1]:53", PID: 7, Program: "dnsmasq"},
			"listen on tcp [::1]:53: the port is taken by dnsmasq (pid 7): stop it or choose another --listen"},
		{InUseError{Network: "udp", Addr: "[::1]:53"},
			"listen on udp [::1]:53: the port is taken by a program that this user may not see " +
				"(as root, `ss -ulpn 'sport = :53'` names it): stop it or choose another --listen"},
		{InUseError{Network: "tcp", Addr: "127.0.0.1:53"},
			"listen on tcp 127.0.0.1:53: the port is taken by a program that this user may not see " +
				"(as root, `ss -tlpn 'sport = :53'` names it): stop it or choose another --listen"},
		{InUseError{Network: "udp", Addr: "127.0.0.1:53", PID: 7, Program: "x\x1b[2J\n"},
			`listen on udp 127.0.0.1:53: the port is taken by "x\x1b[2J\n" (pid 7): stop it or choose another --listen`},
		{InUseError{Network: "udp", Addr: "127.0.0.1:53", PID: 7},
			"listen on udp 127.0.0.1:53: the port is taken by the process 7: stop it or choose another --listen"},
		{InUseError{Network: "udp", Addr: "127.0.0.1:53", PID: os.Getpid(), Program: "usciere"},
			fmt.Sprintf("listen on udp 127.0.0.1:53: the port is taken by this very process (pid %d): "+
				"another listen address covers this one, leave one of them out", os.Getpid())},
	}
	for _, c := range cases {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
