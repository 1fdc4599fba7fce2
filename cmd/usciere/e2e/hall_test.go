//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// hall is a town hall: a server with usciere, the town's mail server and, beyond it, an Internet of one site.
type hall struct {
	*machine
	*daemon
	mail *mailServer
}

const (
	hallAddress = "10.20.0.53"
	siteAddress = "192.0.2.10"
	siteText    = "Portale INPS di prova"
)

// hallSettings are the settings of the hall; further ones are added at the end.
const hallSettings = `
town: {name: Comune di Esempio, site: [10.20.0.0/16]}
listen: ["10.20.0.53:53"]
upstream: {servers: ["192.0.2.53:53"]}
sinkhole: {addresses: [10.20.0.53], contact: "interno 100, ced@comune.example.it"}
mail: {server: "localhost:MAILPORT", from: ced@comune.example.it, ca: MAILCA}
letters: {heading: [Servizio Sistemi informativi, "Via del Municipio 1, 54100 Esempio"]}
`

// openHall starts the hall, with the office cultura and its manager's seat; prepare gets the settings file and the state folder first.
func openHall(t *testing.T, settings string, prepare ...func(config, state string)) *hall {
	t.Helper()
	h := &hall{machine: newMachine(t)}
	for _, a := range []string{hallAddress, siteAddress, "192.0.2.53"} {
		h.do("ip", "addr", "add", a+"/32", "dev", "lo")
	}
	h.site()
	h.upstream()
	h.mail = serveMailBy(t, false, h.machine.command)
	dir := t.TempDir()
	h.daemon = &daemon{state: filepath.Join(dir, "state"), socket: filepath.Join(dir, "state", "admin.sock")}
	config := write(t, filepath.Join(dir, "usciere.yaml"), strings.NewReplacer("MAILPORT", portOf(h.mail.addr), "MAILCA", h.mail.ca).Replace(hallSettings)+settings)
	for _, p := range prepare {
		p(config, h.state)
	}
	h.daemon.process = start(t, h.machine.command(program, "serve", "--config", config, "--state", h.state))
	h.awaitReady()
	h.must("office", "add", "cultura", "--name", "Ufficio Cultura", "--mailbox", "cultura@comune.example.it", "--network", "10.20.5.0/24")
	h.must("seat", "add", "dirigente-cultura", "--name", "Dirigente Ufficio Cultura", "--office", "cultura", "--role", "manager", "--holder", "P. Gallo", "--from", "2025-09-01", "--host", "10.20.5.9")
	return h
}

// workstation is a machine with an address of the hall, which asks usciere for names.
func (h *hall) workstation(cable, address string) *machine {
	h.daemon.t.Helper()
	w := newMachine(h.daemon.t)
	h.connect(w, cable, address)
	w.resolves(hallAddress)
	return w
}

// site serves the one site that there is, over HTTP.
func (h *hall) site() {
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>INPS</title><h1>%s</h1>", siteText)
	})}
	l := h.listen(siteAddress + ":80")
	go func() { _ = s.Serve(l) }()
	h.machine.t.Cleanup(func() { s.Close() })
}

// upstream is a DNS server that knows the site.
func (h *hall) upstream() {
	answer := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if question := q.Question[0]; strings.EqualFold(question.Name, "www.inps.it.") && question.Qtype == dns.TypeA {
			rr, _ := dns.NewRR(question.Name + " 30 IN A " + siteAddress)
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	})
	for _, s := range []*dns.Server{{PacketConn: h.listenPacket("192.0.2.53:53"), Handler: answer}, {Listener: h.listen("192.0.2.53:53"), Handler: answer}} {
		go func() { _ = s.ActivateAndServe() }()
		h.machine.t.Cleanup(func() { _ = s.Shutdown() })
	}
}
