package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"usciere/policy"
	"usciere/policy/admin"
)

// hostile is text from outside that would do something to a terminal, or forge a line.
var hostile = []string{
	"<script>alert(1)</script>", `it's "quoted"`, "two\nlines", "a\rb", "\x1b[2J\x1b]0;x\x07", "nul\x00", "\xff\xfe", "\u009b31m", "\u202egnp.exe",
	"\u2066x\u2069", "\u2028", "tab\there", "\U000e0001tag", strings.Repeat("x", 255), "è ß 語",
}

func TestNothingFromOutsideReachesTheTerminalUnescaped(t *testing.T) {
	var text bytes.Buffer
	s := screen{&text}
	for _, h := range hostile {
		text.Reset()
		s.line(h, h, h)
		s.detail(h, h)
		s.note(h)
		s.table(h, []string{"A", "B"}, [][]string{{h, h}})
		s.table(h, []string{"A"}, nil)
		e := &admin.Explanation{Action: "sinkhole", Client: "10.0.0.1", Office: h, Network: h, Why: h, Hint: h,
			Nearby: []admin.Neighbour{{Subject: h, Service: h, Letter: h}}}
		s.explanation(e, true)
		e.Grant, e.Request, e.Through = &policy.Grant{Subject: policy.Subject{Office: h}, Schedule: policy.Schedule(h)}, &admin.Paper{Seat: h, Holder: h, Label: h, Reason: h}, h
		s.explanation(e, false)
		report(&text, failure{&policy.Error{Message: h, Hint: h}})
		report(&text, errors.New(h))
		for i, line := range strings.Split(text.String(), "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
				t.Errorf("%q: line %d is %q", h, i, line)
			}
		}
		if clean := "è ß 語"; h == clean && !strings.Contains(text.String(), clean) {
			t.Errorf("%q was escaped", clean)
		}
	}
}

func TestJSONIsTheSameValueWithoutWhatATerminalObeys(t *testing.T) {
	for _, h := range hostile {
		var text bytes.Buffer
		if err := (screen{&text}).json([]string{h}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(text.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q gives %q", h, text.String())
		}
		var got []string
		if err := json.Unmarshal(text.Bytes(), &got); err != nil || got[0] != strings.ToValidUTF8(h, "\ufffd") && got[0] != "\ufffd\ufffd" {
			t.Errorf("%q came back as %q: %v", h, got, err)
		}
	}
}

func TestSuccession(t *testing.T) {
	m := func(holders ...policy.Holder) *policy.Seated {
		return &policy.Seated{Seat: &policy.Seat{ID: "s", Holders: holders}}
	}
	for want, made := range map[string]*policy.Seated{
		"vacant":                                m(),
		"A from 2026-01-01":                     m(policy.Holder{Name: "A", From: "2026-01-01"}),
		"A until 2026-02-01, then nobody":       m(policy.Holder{Name: "A", From: "2026-01-01", Until: "2026-02-01"}),
		"A until 2026-01-31, B from 2026-02-01": m(policy.Holder{Name: "A", From: "2026-01-01", Until: "2026-01-31"}, policy.Holder{Name: "B", From: "2026-02-01"}),
	} {
		if got := succession(made); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheDefaultSocket(t *testing.T) {
	t.Setenv("USCIERE_SOCKET", "")
	t.Setenv("STATE_DIRECTORY", "/var/lib/usciere")
	if got := defaultSocket(); got != "/var/lib/usciere/admin.sock" {
		t.Error(got)
	}
	t.Setenv("USCIERE_SOCKET", "/x")
	if got := defaultSocket(); got != "/x" {
		t.Error(got)
	}
	t.Setenv("USCIERE_SOCKET", "")
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("XDG_STATE_HOME", "/state")
	if _, err := os.Stat(packagedSocket); err == nil {
		t.Skip("a packaged usciere runs here")
	}
	if got := defaultSocket(); got != "/state/usciere/admin.sock" {
		t.Error(got)
	}
}

func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "copy")
	broken := errors.New("broke off")
	write := func(text string, err error) func(io.Writer) (int64, error) {
		return func(w io.Writer) (int64, error) {
			n, _ := io.WriteString(w, text)
			return int64(n), err
		}
	}
	for _, test := range []struct {
		about string
		force bool
		write func(io.Writer) (int64, error)
		fails string
		want  string
	}{
		{"a copy that breaks off leaves nothing", false, write("half", broken), "broke off", ""},
		{"a copy", false, write("one", nil), "", "one"},
		{"a second one is refused", false, write("two", nil), "is there already", "one"},
		{"a second one that breaks off leaves the first", true, write("half", broken), "broke off", "one"},
		{"a second one by force", true, write("two", nil), "", "two"},
	} {
		t.Run(test.about, func(t *testing.T) {
			_, err := writeWhole(path, test.force, test.write)
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%v, want %q", err, test.fails)
			}
			got, _ := os.ReadFile(path)
			if string(got) != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) > 1 {
				t.Errorf("%v %v", entries, err)
			}
		})
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestWaitsBetweenTwoMoments(t *testing.T) {
	waits := func(counts ...uint64) admin.Waits {
		return admin.Waits{Bounds: []float64{0.001, 0.02, 5}, Counts: counts}
	}
	for _, tc := range []struct {
		before, now admin.Waits
		want        string
	}{
		{waits(3, 0, 0, 0), waits(3, 0, 0, 0), ""},
		{waits(3, 0, 0, 0), waits(4, 0, 0, 0), "1 for the upstream: half of them up to 1ms, 99 in a hundred up to 1ms"},
		{waits(3, 0, 0, 0), waits(13, 39, 1, 0), "50 for the upstream: half of them up to 20ms, 99 in a hundred up to 5s"},
		{waits(0, 0, 0, 0), waits(0, 0, 0, 2), "2 for the upstream: half of them longer, 99 in a hundred longer"},
		{waits(9, 9, 9, 9), waits(1, 0, 0, 0), ""}, // the daemon was started anew
		{admin.Waits{}, waits(1, 0, 0, 0), "1 for the upstream: half of them up to 1ms, 99 in a hundred up to 1ms"},
	} {
		if got := waitsBetween(tc.before, tc.now); got != tc.want {
			t.Errorf("%v to %v: %q, want %q", tc.before.Counts, tc.now.Counts, got, tc.want)
		}
	}
}
