package lease

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// text is leases as lines, by address.
func textOf(ls map[netip.Addr]Lease) string {
	var out strings.Builder
	for _, addr := range slices.SortedFunc(maps.Keys(ls), netip.Addr.Compare) {
		l := ls[addr]
		fmt.Fprintf(&out, "%s %s %q", l.Addr, l.MAC, l.Host)
		for _, t := range []time.Time{l.Since, l.Until} {
			if t.IsZero() {
				out.WriteString(" -")
			} else {
				fmt.Fprintf(&out, " %d", t.Unix())
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestLeaseFiles(t *testing.T) {
	for _, tc := range []struct {
		about       string
		read        func(io.Reader, *leases) error
		text, leads string
	}{
		{"dnsmasq", readDnsmasq, `1796000000 52:54:00:00:00:01 10.20.1.5 pc-anna 01:52:54:00:00:00:01
0 52:54:00:00:00:02 10.20.1.6 * *
1796000000 06-52:54:00:00:00:03 10.20.1.7 token-ring *
nonsense
1796000000 52:54:00:00:00:04 10.20.1.8
duid 00:01:00:01:2f:00:00:00:52:54:00:00:00:fe
1796000001 5500001 fd00:20::5 pc-anna 00:01:00:01:2f:00:00:00:52:54:00:00:00:01
1796000002 T5500001 fd00:20::6 * 00:03:00:01:52:54:00:00:00:02
1796000003 5500002 fd00:20::7 uuid 00:04:00:01:52:54:00:00:00:02:00:00:00:00:00:00:00:00
1796000004 52:54:00:00:00:05 10.20.1.9 half-writ`,
			`10.20.1.5 52:54:00:00:00:01 "pc-anna" - 1796000000
10.20.1.6 52:54:00:00:00:02 "" - -
10.20.1.7  "token-ring" - 1796000000
fd00:20::5 52:54:00:00:00:01 "pc-anna" - 1796000001
fd00:20::6 52:54:00:00:00:02 "" - 1796000002
fd00:20::7  "uuid" - 1796000003
`},
		{"kea for IPv4", readKea, `address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
10.20.1.5,52:54:00:00:00:01,01:52:54:00:00:00:01,3600,1796000000,1,0,0,pc-anna.comune.example.it.,0,
10.20.1.5,52:54:00:00:00:01,01:52:54:00:00:00:01,3600,1796001800,1,0,0,pc-anna.comune.example.it.,0,
10.20.1.6,52:54:00:00:00:02,,4294967295,1796000000,1,0,0,,0,
10.20.1.7,52:54:00:00:00:03,,3600,1796000000,1,0,0,,0,
10.20.1.7,52:54:00:00:00:03,,0,1796000000,1,0,0,,0,
10.20.1.8,52:54:00:00:00:04,,3600,1796000000,1,0,0,declined,1,
10.20.1.9,52:54:00:00:00:05,,3600,179600`,
			`10.20.1.5 52:54:00:00:00:01 "pc-anna" 1795998200 1796001800
10.20.1.6 52:54:00:00:00:02 "" - -
`},
		{"kea for IPv6", readKea, `address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source
fd00:20::5,00:01:00:01:2f:00:00:00:52:54:00:00:00:fe,3600,1796000000,1,1800,0,1,128,0,0,pc,52:54:00:00:00:01,0,,1,2
fd00:20::6,00:03:00:01:52:54:00:00:00:02,3600,1796000000,1,1800,0,1,128,0,0,,,0,,,
fd00:30::,00:03:00:01:52:54:00:00:00:02,3600,1796000000,1,1800,2,1,56,0,0,,,0,,,
`,
			`fd00:20::5 52:54:00:00:00:01 "pc" 1795996400 1796000000
fd00:20::6 52:54:00:00:00:02 "" 1795996400 1796000000
`},
		{"ISC", readISC, `# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;

lease 10.20.1.5 {
  starts 4 2026/11/26 10:00:00;
  ends 4 2026/11/26 11:00:00;
  cltt 4 2026/11/26 10:00:00;
  binding state active;
  next binding state free;
  hardware ethernet 52:54:00:00:00:01;
  uid "\001RT\000\000\000\001";
  client-hostname "pc-anna";
}
lease 10.20.1.6 { ends never; binding state active; hardware ethernet 52:54:00:00:00:02; client-hostname "a \"}; {"; }
lease 10.20.1.7 {
  ends epoch 1796000000; # Thu Nov 30
  binding state active;
  hardware ethernet 52:54:00:00:00:03;
}
lease 10.20.1.8 { ends never; binding state active; hardware ethernet 52:54:00:00:00:04; }
lease 10.20.1.8 { ends never; binding state free; hardware ethernet 52:54:00:00:00:04; }
server-duid "\000\001\000\001";
ia-na "\001\000\000\000\000\003\000\001RT\000\000\000\005" {
  cltt 4 2026/11/26 10:00:00;
  iaaddr fd00:20::5 {
    binding state active;
    preferred-life 1800;
    ends 4 2026/11/26 11:00:00;
  }
}
lease 10.20.1.9 {
  ends never;
  binding state active;
  hardware ethernet 52:54:00:00:00:06;`,
			`10.20.1.5 52:54:00:00:00:01 "pc-anna" 1795687200 1795690800
10.20.1.6 52:54:00:00:00:02 "" - -
10.20.1.7 52:54:00:00:00:03 "" - 1796000000
fd00:20::5 52:54:00:00:00:05 "" 1795687200 1795690800
`},
		{"nothing", readISC, "", ""},
	} {
		t.Run(tc.about, func(t *testing.T) {
			got := &leases{by: map[netip.Addr]Lease{}}
			if err := tc.read(strings.NewReader(tc.text), got); err != nil {
				t.Fatal(err)
			}
			if textOf(got.by) != tc.leads {
				t.Errorf("got\n%swant\n%s", textOf(got.by), tc.leads)
			}
			// Cut off anywhere, it is no worse than what was written before: no lease that the whole does not have at some moment.
			for n := range tc.text {
				part := &leases{by: map[netip.Addr]Lease{}}
				if err := tc.read(strings.NewReader(tc.text[:n]), part); err != nil {
					continue
				}
				for addr, l := range part.by {
					if whole, ok := got.by[addr]; ok && whole.MAC != l.MAC {
						t.Fatalf("cut off after %d octets, %s is %s", n, addr, l.MAC)
					}
				}
			}
		})
	}
}

func TestAKeaFileWithoutItsColumnsIsRefused(t *testing.T) {
	err := readKea(strings.NewReader("1796000000 52:54:00:00:00:01 10.20.1.5 pc-anna *\n"), new(leases))
	if err == nil || !strings.Contains(err.Error(), "no memfile of Kea") {
		t.Error(err)
	}
	if err := readDnsmasq(strings.NewReader(strings.Repeat("x", maxLine+1)), new(leases)); err == nil {
		t.Error("a line without end is taken")
	}
	if err := readISC(strings.NewReader(strings.Repeat("a {", 100)+"\n"), new(leases)); err == nil {
		t.Error("blocks without end are taken")
	}
}

func TestKeaIsReadThroughItsCleanUp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kea-leases4.csv")
	write := func(suffix string, octet int) {
		text := "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n" +
			fmt.Sprintf("10.20.1.5,52:54:00:00:00:%02d,,3600,1796000000,1,0,0,,0,\n10.20.1.%d,52:54:00:00:01:00,,3600,1796000000,1,0,0,,0,\n", octet, octet)
		if err := os.WriteFile(path+suffix, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		t.Helper()
		ls, err := Source{Kea, path}.read()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, addr := range slices.SortedFunc(maps.Keys(ls), netip.Addr.Compare) {
			out = append(out, addr.String())
		}
		return string(ls[netip.MustParseAddr("10.20.1.5")].MAC) + " " + strings.Join(out, " ")
	}
	write(".2", 12)
	write(".1", 11)
	write("", 10)
	if got, want := read(), "52:54:00:00:00:10 10.20.1.5 10.20.1.10 10.20.1.11 10.20.1.12"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	write(".completed", 13)
	if got, want := read(), "52:54:00:00:00:10 10.20.1.5 10.20.1.10 10.20.1.13"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := (Source{Kea, path}).read(); err == nil {
		t.Error("a memfile that is not there is read")
	}
}

// keaServer answers on a control socket, one command a connection, as Kea does.
func keaServer(t *testing.T, answer func(command string) string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kea")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var asked struct{ Command string }
			_ = json.NewDecoder(c).Decode(&asked)
			_, _ = io.WriteString(c, answer(asked.Command))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return path
}

func TestKeasSocket(t *testing.T) {
	four := `{"result": 0, "text": "2 IPv4 lease(s) found.", "arguments": {"leases": [
		{"cltt": 1796000000, "client-id": "01:52", "hostname": "pc-anna.", "hw-address": "52:54:00:00:00:01", "ip-address": "10.20.1.5", "state": 0, "subnet-id": 1, "valid-lft": 3600},
		{"cltt": 1796000000, "hostname": "", "hw-address": "52:54:00:00:00:02", "ip-address": "10.20.1.6", "state": 1, "subnet-id": 1, "valid-lft": 3600}]}}`
	for _, tc := range []struct {
		about  string
		answer func(string) string
		leads  string
		wrong  string
	}{
		{"IPv4", func(string) string { return four }, "10.20.1.5 52:54:00:00:00:01 \"pc-anna\" 1796000000 1796003600\n", ""},
		{"no lease", func(string) string { return `{"result": 3, "text": "0 IPv4 lease(s) found."}` }, "", ""},
		{"IPv6 only", func(c string) string {
			if c == "lease4-get-all" {
				return `{"result": 2, "text": "unsupported"}`
			}
			return `{"result": 0, "arguments": {"leases": [{"cltt": 1796000000, "duid": "00:03:00:01:52:54:00:00:00:02", "ip-address": "fd00::5", "type": "IA_NA", "state": 0, "valid-lft": 60}]}}`
		}, "fd00::5 52:54:00:00:00:02 \"\" 1796000000 1796000060\n", ""},
		{"without the hook", func(string) string { return `{"result": 2, "text": "'lease4-get-all' command not supported."}` }, "", "libdhcp_lease_cmds"},
		{"an error", func(string) string { return `{"result": 1, "text": "no"}` }, "", `"no"`},
		{"nonsense", func(string) string { return "HTTP/1.1 400" }, "", "cannot be read"},
		{"nothing", func(string) string { return "" }, "", "cannot be read"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			ls, err := Source{KeaSocket, keaServer(t, tc.answer)}.read()
			if (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
				t.Fatal(err)
			}
			if textOf(ls) != tc.leads {
				t.Errorf("%s", textOf(ls))
			}
		})
	}
}

func fuzz(f *testing.F, read func(io.Reader, *leases) error) {
	f.Fuzz(func(t *testing.T, text string) {
		ls := &leases{by: map[netip.Addr]Lease{}}
		_ = read(strings.NewReader(text), ls)
		for addr, l := range ls.by {
			if l.Addr != addr || !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() || l.MAC != "" && !l.MAC.IsMAC() || l.Host != "" && l.Host.IsMAC() {
				t.Fatalf("%+v", l)
			}
		}
	})
}

func FuzzDnsmasq(f *testing.F) {
	f.Add("1796000000 52:54:00:00:00:01 10.20.1.5 pc-anna 01:52:54:00:00:00:01\nduid 00\n1 5 fd00::5 * 00:03:00:01:52:54:00:00:00:02\n")
	fuzz(f, readDnsmasq)
}

func FuzzKea(f *testing.F) {
	f.Add("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n10.20.1.5,52:54:00:00:00:01,,3600,1796000000,1,0,0,pc,0,\n")
	fuzz(f, readKea)
}

func FuzzISC(f *testing.F) {
	f.Add("lease 10.20.1.5 {\n ends never;\n binding state active;\n hardware ethernet 52:54:00:00:00:01;\n client-hostname \"pc\\\"\";\n}\nia-na \"\\001\\000\\000\\000\\000\\003\\000\\001RT\\000\\000\\000\\005\" { iaaddr fd00::5 { binding state active; } }\n")
	fuzz(f, readISC)
}
