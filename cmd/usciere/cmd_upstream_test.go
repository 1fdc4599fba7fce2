package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"usciere/policy/admin"
)

func TestTheListSaysHowAServerIsDoing(t *testing.T) {
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.FixedZone("CET", 3600))
	for _, tc := range []struct {
		u    admin.Upstream
		want string
	}{
		{admin.Upstream{State: "ok"}, "g|192.0.2.53:53|ok||0|0|0||"},
		{admin.Upstream{State: "ok", Since: since, Smoothed: 1234567, Queries: 9, Failures: 2, Dropped: 1, LastError: "why"},
			"g|192.0.2.53:53|ok since 2026-03-02 08:00:00 UTC|1.23ms|9|2|1||why"},
		{admin.Upstream{State: "silent", Since: since, NoEDNS: true}, "g|192.0.2.53:53|silent since 2026-03-02 08:00:00 UTC||0|0|0|EDNS|"},
		{admin.Upstream{State: "trying", Since: since, SameCase: true, NoEDNS: true},
			"g|192.0.2.53:53|trying, out since 2026-03-02 08:00:00 UTC||0|0|0|0x20, EDNS|"},
	} {
		tc.u.Group, tc.u.Addr = "g", netip.MustParseAddrPort("192.0.2.53:53")
		if got := strings.Join(upstreamRow(tc.u), "|"); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}
