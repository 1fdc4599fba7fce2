package resolver

import (
	"net"
	"testing"
)

// TestAllocationBudget counts what a question that was asked before allocates on its whole way through a real UDP socket.
func TestAllocationBudget(t *testing.T) {
	h := open(t, func(s *Setup) { s.Zones = []LocalZone{localZone(t, "comune.it", nil, "www A 127.10.0.9")} })
	for _, r := range []struct {
		name, from, question string
		option               option
		budget               float64
	}{
		{"refused", outside, "www.inps.it A", edns, 0},
		{"malformed", anagrafe, "version.bind TXT", class(3), 0},
		{"out of the cache", anagrafe, "www.inps.it A", edns, 0},
		{"led to the page", tributi, "www.example.com A", noEDNS, 0},
		{"led to the page, told why", tributi, "www.example.com A", edns, 0},
		{"denied", relay, "www.example.com A", edns, 0},
		{"of a zone of ours", anagrafe, "www.comune.it A", edns, 0},
	} {
		pkt, err := question(t, r.question, r.option).Pack()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(r.from)}}).Dial("udp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		exchange := func() {
			if _, err := conn.Write(pkt); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 { // fill the cache, and its list of what is frequent
			exchange()
		}
		if got := testing.AllocsPerRun(200, exchange); got > r.budget {
			t.Errorf("%s: %v allocations, the budget is %v", r.name, got, r.budget)
		}
	}
}
