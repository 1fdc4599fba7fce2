package main

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/miekg/dns"

	"usciere/bench/testbed"
)

// server is one of those that are compared.
type server struct {
	name    string
	program string   // on PATH, unless a flag says where
	debian  string   // package that has it; empty: none
	version []string // arguments that make it tell its version

	// prepare writes the configuration for the job and returns the arguments of the program.
	prepare func(context.Context, setup) ([]string, error)

	limit  bool // it does no job, it only answers: REFUSED
	golang bool // it is one of those in Go
}

// setup is what a configuration is made of.
type setup struct {
	program  string // absolute
	folder   string // its own
	addr     netip.AddrPort
	upstream netip.AddrPort
	domains  int
	core     int
}

func (s setup) write(name, text string) error {
	return os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o644)
}

// lines writes one text for each allowed domain.
func (s setup) lines(line func(domain string) string) string {
	var text strings.Builder
	for i := range s.domains {
		text.WriteString(line(testbed.Domain(i)))
	}
	return text.String()
}

// servers are all that this program knows, the limit and Usciere first.
func servers() []*server {
	return append([]*server{
		{name: "echo", program: "echo", limit: true, prepare: prepareEcho},
		{name: "usciere", program: "usciere", version: []string{"version"}, prepare: prepareUsciere},
	}, peers...)
}

func prepareEcho(_ context.Context, s setup) ([]string, error) {
	return []string{"--readers", "1", s.addr.String()}, nil
}

// prepareUsciere grants the domains through the socket of a daemon that is stopped again.
func prepareUsciere(ctx context.Context, s setup) ([]string, error) {
	u := testbed.Usciere{Program: s.program, Folder: s.folder, Addr: s.addr}
	if err := u.Configure(s.upstream); err != nil {
		return nil, err
	}
	p, err := u.Start(ctx, []int{s.core})
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	if _, err := p.Await(ctx, s.addr, testbed.Blocked(0), dns.RcodeRefused); err != nil {
		return nil, err
	}
	var domains []string
	for i := range s.domains {
		domains = append(domains, testbed.Domain(i))
	}
	return u.Arguments(), u.Allow(ctx, domains)
}

// versionPattern finds the version in what a program says of itself: what stands behind our own name, or the first number with a dot.
var versionPattern = regexp.MustCompile(`^usciere (\S+)|\d+\.\d+[\w.-]*`)

// tellVersion runs the program for its version; empty if it does not say.
func (s *server) tellVersion(ctx context.Context, program string) string {
	if s.version == nil {
		return ""
	}
	out, _ := exec.CommandContext(ctx, program, s.version...).CombinedOutput() // some exit with an error, and say it all the same
	found := versionPattern.FindSubmatch(out)
	if found == nil {
		return ""
	}
	return cmp.Or(string(found[1]), string(found[0]))
}
