//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// step is one command of a console block, and what it should print.
type step struct {
	line    int // in the README
	command string
	exit    int
	want    []string // lines; … stands for anything within a line, alone on one for any lines
}

var exitPattern = regexp.MustCompile(`\s# exit (\d+)$`)

// tourSteps reads the console blocks between the marks of the tour.
func tourSteps(t *testing.T, readme string) (steps []step) {
	t.Helper()
	inTour, inBlock := false, false
	for i, line := range strings.Split(readme, "\n") {
		last := len(steps) - 1
		switch {
		case line == "<!-- tour:start -->":
			inTour = true
		case line == "<!-- tour:end -->":
			inTour = false
		case !inTour:
		case line == "```console":
			inBlock = true
		case strings.HasPrefix(line, "```"):
			inBlock = false
		case !inBlock:
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, step{line: i + 1, command: line[2:]})
		case last < 0:
			t.Fatalf("README.md:%d: output before the first command", i+1)
		case strings.HasSuffix(steps[last].command, "\\") && len(steps[last].want) == 0:
			steps[last].command += "\n" + line
		default:
			steps[last].want = append(steps[last].want, line)
		}
	}
	for i := range steps {
		if m := exitPattern.FindStringSubmatch(steps[i].command); m != nil {
			steps[i].exit, _ = strconv.Atoi(m[1])
		}
	}
	if len(steps) == 0 {
		t.Fatal("README.md has no tour")
	}
	return steps
}

// pattern matches the output that a step wants.
func (s step) pattern() *regexp.Regexp {
	var b strings.Builder
	for _, line := range s.want {
		if line == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(line, " ")), "…", ".*") + " *\n")
	}
	return regexp.MustCompile(`^` + b.String() + `\n*$`)
}

// shell is one bash that runs a step after the other.
type shell struct {
	*process
	in io.Writer
}

const sentinel = "end of step 5f1c:"

// do runs a command and returns what it printed and its exit code.
func (s shell) do(command string) (out string, exit int) {
	s.t.Helper()
	before := len(s.out.String())
	if _, err := fmt.Fprintf(s.in, "{ %s\n} </dev/null\nprintf '%%s%%d\\n' '%s' $?\n", command, sentinel); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "the end of "+command, func() bool {
		text := s.out.String()[before:]
		i := strings.LastIndex(text, sentinel)
		if i < 0 || !strings.HasSuffix(text, "\n") {
			return s.ended()
		}
		exit, _ = strconv.Atoi(strings.TrimSpace(text[i+len(sentinel):]))
		out = text[:i]
		return true
	})
	return out, exit
}

// TestTheTourOfTheREADMEIsTrue runs the commands of the README and compares what they print.
func TestTheTourOfTheREADMEIsTrue(t *testing.T) {
	tool(t, "dig")
	readme, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", "127.0.0.1:5300"); err != nil {
		t.Fatalf("the tour needs the demo's own port: %v: stop the demo that runs there", err)
	} else {
		l.Close()
	}
	env := append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "XDG_STATE_HOME="+t.TempDir(), "LC_ALL=C.UTF-8")
	bash := exec.Command("bash", "--noprofile", "--norc")
	bash.Env = env
	in, err := bash.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	sh := shell{start(t, bash), in}
	sh.do("exec 2>&1") // what a person sees is both
	for _, s := range tourSteps(t, string(readme)) {
		var out string
		exit := 0
		if strings.HasPrefix(s.command, "usciere serve") {
			out = background(t, s, env)
		} else {
			out, exit = sh.do(s.command)
		}
		if exit != s.exit || !s.pattern().MatchString(out) {
			t.Errorf("README.md:%d: $ %s\n%s(exit %d) is not what it promises:\n%s\n(exit %d)", s.line, s.command, out, exit, strings.Join(s.want, "\n"), s.exit)
		}
	}
}

// background starts a daemon for the rest of the tour and returns its start-up lines.
func background(t *testing.T, s step, env []string) string {
	t.Helper()
	cmd := exec.Command(program, strings.Fields(s.command)[1:]...)
	cmd.Env = env
	p := start(t, cmd)
	eventually(t, s.command+" says what it does", func() bool {
		if p.ended() {
			t.Fatalf("%s ended: %v\n%s", s.command, p.err, p.log.String())
		}
		return s.pattern().MatchString(p.out.String()) || strings.Count(p.out.String(), "\n") >= len(s.want)
	})
	return p.out.String()
}
