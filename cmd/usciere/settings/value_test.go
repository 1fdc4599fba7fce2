package settings

import (
	"net/netip"
	"testing"
	"time"
)

func TestParseServerReadsAddressesOnly(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{"10.0.0.53", "10.0.0.53:53", ""},
		{"10.0.0.53:5353", "10.0.0.53:5353", ""},
		{"::1", "[::1]:53", ""},
		{"[::1]", "[::1]:53", ""},
		{"[::1]:5353", "[::1]:5353", ""},
		{"fe80::1%eth0", "[fe80::1%eth0]:53", ""},
		{"[fe80::1%eth0]:5353", "[fe80::1%eth0]:5353", ""},
		{"::ffff:10.0.0.53", "10.0.0.53:53", ""},
		{"dns.example.it", "", `"dns.example.it" is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name`},
		{"dns.example.it:53", "", `"dns.example.it:53" is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name`},
		{"", "", `"" is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name`},
		{"[10.0.0.53]", "", `"[10.0.0.53]" is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name`},
		{"[10.0.0.53]:53", "", `"[10.0.0.53]:53" is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name`},
		{"[::1", "", `"[::1" is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name`},
		{"10.0.0.53:", "", `"10.0.0.53:": port "" is not a number from 0 to 65535`},
		{"10.0.0.53:dns", "", `"10.0.0.53:dns": port "dns" is not a number from 0 to 65535`},
		{"10.0.0.53:65536", "", `"10.0.0.53:65536": port "65536" is not a number from 0 to 65535`},
		{"10.0.0.53:0", "", `"10.0.0.53:0": port 0 is not a port of a server`},
		{"0.0.0.0", "", `"0.0.0.0" is not the address of one server`},
		{"224.0.0.251:5353", "", `"224.0.0.251:5353" is not the address of one server`},
	}
	for _, test := range tests {
		got, err := ParseServer(test.text)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%q: error %v\nwant %s", test.text, err, test.err)
			}
			continue
		}
		if err != nil || got != netip.MustParseAddrPort(test.want) {
			t.Errorf("%q: %v, %v; want %s", test.text, got, err, test.want)
		}
	}
}

func TestParseListenReturnsTheUsualForm(t *testing.T) {
	for text, want := range map[string]string{
		":53":               ":53",
		":0":                ":0",
		"127.0.0.1:5300":    "127.0.0.1:5300",
		"[::1]:053":         "[::1]:53",
		"[0:0::1]:53":       "[::1]:53",
		"0.0.0.0:53":        "0.0.0.0:53",
		"[fe80::1%eth0]:53": "[fe80::1%eth0]:53",
		"127.0.0.1":         "",
		"::1":               "",
		"localhost:53":      "",
		"224.0.0.1:53":      "",
		":domain":           "",
		":-1":               "",
		"":                  "",
	} {
		got, err := ParseListen(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestSizesAndDurationsAreWrittenAsTheyAreRead(t *testing.T) {
	for text, want := range map[string]Size{"1KiB": KiB, "1024KiB": MiB, "64MiB": 64 * MiB, "64 MiB": 64 * MiB, "0MiB": 0, "3GiB": 3 * GiB} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
		if again, err := parseSize(got.String()); err != nil || again != got {
			t.Errorf("%q: written %q, read %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "64", "MiB", "-1MiB", "1.5GiB", "64MB", "99999999999GiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m", 24 * time.Hour: "24h",
		time.Hour + time.Second: "1h0m1s", 1200 * time.Millisecond: "1.2s", 10 * time.Minute: "10m", 10 * time.Hour: "10h",
	} {
		text := formatDuration(d)
		if back, err := parseDuration(text); text != want || err != nil || back != d {
			t.Errorf("%s: written %q, read %s, %v; want %q", d, text, back, err, want)
		}
	}
}

func TestADateBeginsAtMidnightInTheTown(t *testing.T) {
	rome := Default().Town.Location()
	d := Date{2026, time.March, 29}
	if got, want := d.Start(rome), time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("%s begins at %s, want %s", d, got, want)
	}
	if !(Date{}).Start(rome).IsZero() || (Date{}).String() != "" {
		t.Error("no date has a beginning")
	}
	if d.String() != "2026-03-29" {
		t.Errorf("written %s", d)
	}
}

func TestStateFolderFollowsSystemdThenXDG(t *testing.T) {
	tests := []struct{ name, state, systemd, xdg, home, want string }{
		{"the setting comes first", "/srv/state", "/var/lib/usciere", "/x", "/home/a", "/srv/state"},
		{"then systemd's", "", "/var/lib/usciere", "/x", "/home/a", "/var/lib/usciere"},
		{"the first of systemd's", "", "/var/lib/usciere:/var/lib/b", "/x", "/home/a", "/var/lib/usciere"},
		{"then XDG's", "", "", "/x", "/home/a", "/x/usciere"},
		{"a relative one of XDG's does not count", "", "", "x", "/home/a", "/home/a/.local/state/usciere"},
		{"then the home folder", "", "", "", "/home/a", "/home/a/.local/state/usciere"},
		{"else there is none", "", "", "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("STATE_DIRECTORY", test.systemd)
			t.Setenv("XDG_STATE_HOME", test.xdg)
			t.Setenv("HOME", test.home)
			s := Default()
			s.State = test.state
			got, err := s.StateFolder()
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("folder %q, %v; want %q", got, err, test.want)
			}
			socket, err := s.SocketPath()
			if test.want != "" && (err != nil || socket != test.want+"/admin.sock") {
				t.Errorf("socket %q, %v", socket, err)
			}
		})
	}
}

func TestSocketPathRefusesWhatNoSocketCanHave(t *testing.T) {
	s := Default()
	s.Admin.Socket = "/run/x.sock"
	if got, err := s.SocketPath(); err != nil || got != "/run/x.sock" {
		t.Errorf("%q, %v", got, err)
	}
	s.Admin.Socket = ""
	s.State = "/" + string(make([]byte, 107))
	if got, err := s.SocketPath(); err == nil {
		t.Errorf("%d octets are taken", len(got))
	}
}

func FuzzParseServer(f *testing.F) {
	for _, text := range []string{"10.0.0.53", "10.0.0.53:5353", "[::1]:53", "fe80::1%eth0", "[::1]", "::ffff:1.2.3.4", "a:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseServer(text)
		if err != nil {
			return
		}
		if again, err := ParseServer(s.String()); err != nil || again != s {
			t.Errorf("%q is read as %s, and that as %s, %v", text, s, again, err)
		}
	})
}
