package settings

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestMachineUpstreamsReadsWhatTheMachineUses(t *testing.T) {
	tests := []struct {
		name, resolvConf, behindStub string
		own                          string
		want                         []string
		err                          string
	}{
		{name: "servers in their order, each once",
			resolvConf: "# generated\nsearch comune.it\nnameserver 10.0.0.2\nnameserver\t10.0.0.1 # first\nnameserver 10.0.0.2\noptions edns0\n",
			want:       []string{"10.0.0.2:53", "10.0.0.1:53"}},
		{name: "IPv6, also with a zone",
			resolvConf: "nameserver 2001:db8::1\r\nnameserver fe80::1%eth0\r\n",
			want:       []string{"[2001:db8::1]:53", "[fe80::1%eth0]:53"}},
		{name: "lines that are not understood",
			resolvConf: "nameserver\nnameserver dns.it\nnameservers 10.0.0.1\nnameserver10.0.0.2\n;nameserver 10.0.0.3\n nameserver 10.0.0.4\nnameserver 0.0.0.0\nnameserver 10.0.0.5",
			want:       []string{"10.0.0.5:53"}},
		{name: "the servers behind systemd's stub",
			resolvConf: "nameserver 127.0.0.53\n", behindStub: "nameserver 10.0.0.1\n",
			want: []string{"10.0.0.1:53"}},
		{name: "a server beside systemd's stub",
			resolvConf: "nameserver 127.0.0.53\nnameserver 10.0.0.9\n", behindStub: "nameserver 10.0.0.1\n",
			want: []string{"10.0.0.9:53"}},
		{name: "never this resolver itself",
			resolvConf: "nameserver 127.0.0.1\nnameserver 10.0.0.1\n", own: "127.0.0.1",
			want: []string{"10.0.0.1:53"}},
		{name: "only this resolver itself",
			resolvConf: "nameserver 127.0.0.1\n", own: "127.0.0.1",
			err: "no upstream server: CONF names only this machine's own resolver (127.0.0.1): give --upstream ADDRESS or set upstream.servers"},
		{name: "only this resolver behind systemd's stub",
			resolvConf: "nameserver 127.0.0.53\n", behindStub: "nameserver 127.0.0.1\n", own: "127.0.0.1",
			err: "no upstream server: STUB names only this machine's own resolver (127.0.0.1): give --upstream ADDRESS or set upstream.servers"},
		{name: "nothing",
			resolvConf: "# empty\n",
			err:        "no upstream server: CONF names none: give --upstream ADDRESS or set upstream.servers"},
		{name: "systemd's stub with nothing behind",
			resolvConf: "nameserver 127.0.0.53\n",
			err:        "no upstream server: open STUB: no such file or directory: give --upstream ADDRESS or set upstream.servers"},
		{name: "a file that is too large",
			resolvConf: strings.Repeat("#", maxResolvConf+1),
			err:        "no upstream server: CONF is larger than 64 KiB: give --upstream ADDRESS or set upstream.servers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			conf, stub := filepath.Join(folder, "resolv.conf"), filepath.Join(folder, "stub.conf")
			write(t, conf, test.resolvConf)
			if test.behindStub != "" {
				write(t, stub, test.behindStub)
			}
			own := func(s netip.AddrPort) bool { return s.Addr().String() == test.own }
			servers, err := machineUpstreams(conf, stub, own)
			var got []string
			for _, s := range servers {
				got = append(got, s.String())
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("servers %q, want %q", got, test.want)
			}
			text := ""
			if err != nil {
				text = strings.NewReplacer(conf, "CONF", stub, "STUB").Replace(err.Error())
			}
			if text != test.err {
				t.Errorf("error %s\nwant  %s", text, test.err)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzNameServers(f *testing.F) {
	f.Add([]byte("nameserver 10.0.0.1\nnameserver fe80::1%eth0\n"))
	f.Add([]byte("nameserver\x00\nnameserver\t::ffff:1.2.3.4 x\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		seen := map[netip.AddrPort]bool{}
		for _, s := range nameServers(data) {
			if !s.IsValid() || s.Port() != 53 || s.Addr().IsUnspecified() || s.Addr().Is4In6() || seen[s] {
				t.Errorf("%s in %q", s, data)
			}
			seen[s] = true
		}
	})
}
