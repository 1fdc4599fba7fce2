package admin

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usciere/policy"
)

func TestListenMakesASocketForEverybody(t *testing.T) {
	path := filepath.Join(filepath.Dir(socketPath(t)), "run", "usciere", "admin.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o666 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("%v %v", info, err)
	}
}

func TestADeadSocketIsReplacedAndNothingElse(t *testing.T) {
	dead := socketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()

	alive := socketPath(t)
	other, err := Listen(alive)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	file, link := socketPath(t), socketPath(t)
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dead, link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		about, path, says string
	}{
		{"a live daemon's", alive, "another usciere answers on " + alive},
		{"a file", file, "something else is there"},
		{"a link to a dead socket", link, "something else is there"},
		{"a path that is too long", "/tmp/" + strings.Repeat("x", 103), "at most 107"},
		{"a folder that is a file", file + "/s", "the folder of the admin socket"},
		{"a dead daemon's", dead, ""},
	} {
		t.Run(test.about, func(t *testing.T) {
			l, err := Listen(test.path)
			if err == nil {
				l.Close()
			}
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file: %q %v", text, err)
	}
	if conn, err := net.Dial("unix", alive); err != nil {
		t.Errorf("the live daemon's socket: %v", err)
	} else {
		conn.Close()
	}
}

func TestAClientSaysWhyNobodyAnswers(t *testing.T) {
	dead := socketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, path := range []string{dead, filepath.Join(dead, "x"), dead + "-nothing"} {
		_, err := Dial(path).Status(context.Background())
		mustBe(t, err, Unreachable, "usciere does not answer on "+path, "is it running?")
	}
	other, err := Listen(socketPath(t))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := other.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			conn.Write([]byte("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"))
			conn.Close()
		}
	}()
	defer other.Close()
	_, err = Dial(other.Addr().String()).Status(context.Background())
	if err == nil || policy.IsCode(err, Unreachable) || !strings.Contains(err.Error(), "is it usciere?") {
		t.Errorf("%v", err)
	}
}
