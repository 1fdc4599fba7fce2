package testbed

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"usciere/bench/measure"
)

// Usciere is the built binary, set up for the job in a folder of its own.
type Usciere struct {
	Program string // absolute path of the binary
	Folder  string
	Store   string // state folder; empty: one in Folder
	Addr    netip.AddrPort
}

const usciereSettings = `town: {name: Comune di Prova, site: [127.0.0.0/8]}
listen: ["%s"]
state: %s
admin: {socket: %s, group: "", viewers: ""}
upstream: {servers: ["%s"]}
sinkhole: {mode: refused}
cache: {entries: 1000000, memory: 512MiB, persist: false}
log: {level: warn}
`

// Socket is the path of the admin socket.
func (u Usciere) Socket() string { return filepath.Join(u.Folder, "admin.sock") }

func (u Usciere) state() string {
	if u.Store != "" {
		return u.Store
	}
	return filepath.Join(u.Folder, "state")
}

func (u Usciere) config() string { return filepath.Join(u.Folder, "usciere.yaml") }

// Configure writes the settings file.
func (u Usciere) Configure(upstream netip.AddrPort) error {
	if err := os.MkdirAll(u.Folder, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf(usciereSettings, u.Addr, u.state(), u.Socket(), upstream)
	return os.WriteFile(u.config(), []byte(text), 0o644)
}

// Arguments are those of the daemon.
func (u Usciere) Arguments() []string { return []string{"serve", "--config", u.config()} }

// Start starts the daemon on some cores.
func (u Usciere) Start(ctx context.Context, cores []int) (*measure.Process, error) {
	return measure.Start(ctx, cores, u.Folder, u.Program, u.Arguments()...)
}

// perLetter is how many domains one document grants, on one letter: the most that it may have in octets is far more.
const perLetter = 200_000

// Allow makes the office whose network is all of the machine and grants it the domains, through the socket of the running daemon.
func (u Usciere) Allow(ctx context.Context, domains []string) error {
	letter := 0
	for part := range slices.Chunk(domains, perLetter) {
		letter++
		if err := u.allow(ctx, fmt.Sprintf("%d/2026", letter), part); err != nil {
			return err
		}
	}
	return nil
}

func (u Usciere) allow(ctx context.Context, protocol string, domains []string) error {
	var text strings.Builder
	text.WriteString("offices:\n  prova: {name: Ufficio, networks: [127.0.0.0/8]}\n" +
		"seats:\n  responsabile: {office: prova, role: manager, holders: [{name: M. Rossi, from: 2026-01-01}]}\ngrants:\n")
	request := fmt.Sprintf("{protocol: %s, date: 2026-03-02, reason: job}", protocol)
	for _, domain := range domains {
		fmt.Fprintf(&text, "  - {office: prova, rule: .%s, request: %s}\n", domain, request)
		request = protocol
	}
	file := filepath.Join(u.Folder, "town.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, u.Program, "apply", "-f", file, "--keep-unlisted", "--socket", u.Socket()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("usciere apply: %w\n%s", err, out[max(0, len(out)-2000):])
	}
	return nil
}
