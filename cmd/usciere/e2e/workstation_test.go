//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

const blockedText = "Questo sito non è tra quelli richiesti"

// What a client asks for each of the names, and what it gets.
var (
	siteQuestions    = []string{"www.inps.it A " + siteAddress, "www.inps.it AAAA NODATA"}
	blockedQuestions = []string{"bloccato.it A " + hallAddress, "bloccato.it AAAA NODATA"}
	serverQuestions  = []string{"fileserver.comune.example.it A " + siteAddress, "fileserver.comune.example.it AAAA NODATA"}
	nobodyQuestions  = []string{"nessuno.comune.example.it A NXDOMAIN"}
)

// twice are questions that a client puts twice of its own accord, sorted.
func twice(questions ...string) []string {
	both := slices.Concat(questions, questions)
	slices.Sort(both)
	return both
}

// A client that misses a reply, or does not like it, waits and asks again, most of them after 5 s: on its cable there must be the
// questions that it has, and no other.
func TestWorkstationsNeedNoRetry(t *testing.T) {
	h := openHall(t, "zones: [{name: comune.example.it, records: [\"fileserver A "+siteAddress+"\"]}]\n")
	h.bridges()
	h.allow("cultura", "1/2026", "www.inps.it")
	start(t, dhcpServers["dnsmasq"].serve(h, t.TempDir(), "dhcp-option=6,"+hallAddress+"\ndhcp-option=15,comune.example.it\n"))

	t.Run("the C library", func(t *testing.T) {
		w, wire := h.desk(t, "desk-c", "52:54:00:00:05:01")
		w.dualStack("fd00:20:5::1", "pc-c")
		h.getent(t, w, wire, append([]string{"nessuno A NXDOMAIN"}, nobodyQuestions...)) // it tries the bare name after the search list
	})
	t.Run("systemd", func(t *testing.T) {
		w, wire := h.desk(t, "desk-s", "52:54:00:00:05:02")
		w.systemd()
		h.getent(t, w, wire, twice(nobodyQuestions...)) // it believes NXDOMAIN when it comes without EDNS as well
	})
	t.Run("Chromium", func(t *testing.T) {
		w, wire := h.desk(t, "desk-b", "52:54:00:00:05:03")
		w.dualStack("fd00:20:5::3", "pc-b")
		b := w.browse()
		b.speaks("it")
		for _, visit := range []struct {
			url, name, text string
			asks            []string
		}{
			// It tries https before http, and resolves the name for each; but not with a name of one label.
			{"http://www.inps.it/", "www.inps.it", siteText, twice(append(siteQuestions, "www.inps.it HTTPS NODATA")...)},
			{"http://bloccato.it/", "bloccato.it", blockedText, twice(append(blockedQuestions, "bloccato.it HTTPS NODATA")...)},
			{"http://fileserver/", "fileserver.comune.example.it", siteText, append(serverQuestions, "fileserver.comune.example.it HTTPS NODATA")},
		} {
			var text string
			all := wire.questions(func() { text, _ = b.open(visit.url) })
			says(t, text, visit.text)
			// Chromium asks for names of its maker's besides.
			got := slices.DeleteFunc(all, func(q string) bool { return !strings.HasPrefix(q, visit.name+" ") })
			if !slices.Equal(got, visit.asks) {
				t.Errorf("for %s it asked %q; want %q", visit.url, got, visit.asks)
			}
		}
	})
}

// desk is a workstation of the office cultura that has no address yet, and its cable.
func (h *hall) desk(t *testing.T, cable, mac string) (*machine, *wire) {
	t.Helper()
	w := newMachine(t)
	w.resolves("192.0.2.99") // until DHCP says otherwise
	h.plug(w, cable, mac, offices[2])
	return w, h.tap(cable)
}

// dualStack gets the workstation a lease, and gives it an IPv6 address and a way out, without which clients do not ask for AAAA.
func (m *machine) dualStack(address, name string) {
	m.t.Helper()
	m.lease(name)
	m.do("ip", "addr", "add", address+"/64", "dev", "eth0", "nodad")
	m.do("ip", "-6", "route", "add", "default", "dev", "eth0")
}

// getent looks names up as every program does that asks the system: one allowed, one blocked, one of the town's zone by its first label,
// and one that nobody has.
func (h *hall) getent(t *testing.T, w *machine, wire *wire, nobody []string) {
	t.Helper()
	for _, look := range []struct {
		database, name, address string
		asks                    []string
	}{
		{"ahosts", "www.inps.it", siteAddress, siteQuestions},
		{"ahosts", "bloccato.it", hallAddress, blockedQuestions},
		{"ahosts", "fileserver", siteAddress, serverQuestions},
		{"ahostsv4", "nessuno", "", nobody}, // whether resolved asks for AAAA as well depends on which reply it reads first
	} {
		var r result
		before := h.upstreamQueries()
		got := wire.questions(func() { r = run(t, w.command("getent", look.database, look.name)) })
		if address, _, _ := strings.Cut(r.out, " "); address != look.address {
			t.Errorf("getent %s: %s", look.name, r)
		}
		if !slices.Equal(got, look.asks) {
			t.Errorf("for %s it asked %q; want %q", look.name, got, look.asks)
		}
		if sent := h.upstreamQueries() - before; sent > 0 && look.name != "www.inps.it" {
			t.Errorf("%d questions went upstream for %s", sent, look.name)
		}
	}
	w.sees("www.inps.it", siteText)
	w.sees("bloccato.it", blockedText)
}
