package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"usciere/policy"
)

func TestAnExplanationIsWhatTheQuestionWouldGet(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Zones = []LocalZone{localZone(t, "comune.it", map[string]policy.Moment{"anagrafe": ""}, "www A 127.10.0.9")}
		s.Portal = name(t, "accesso.comune.it")
	})
	h.ask(protocollo, "posta.example.it MX")
	for _, r := range []struct{ from, name, action, local, through string }{
		{anagrafe, "www.inps.it", "allow", "", ""},
		{tributi, "www.inps.it", "sinkhole", "", ""},
		{outside, "www.inps.it", "refuse", "", ""},
		{outside, "www.comune.it", "refuse", "", ""},
		{outside, "localhost", "refuse", "", ""},
		{protocollo, "mx1.provider.net", "allow", "", "posta.example.it"},
		{avvocatura, "mx1.provider.net", "sinkhole", "", ""},
		{anagrafe, "www.comune.it", "sinkhole", "zone comune.it", ""}, // the verdict is not asked for
		{tributi, "www.comune.it", "sinkhole", "", ""},
		{tributi, "accesso.comune.it", "sinkhole", "the portal's own name", ""},
		{tributi, "pc.local", "sinkhole", "special name local", ""},
		{tributi, "dc.ad.comune.test", "sinkhole", fmt.Sprintf("forward ad.comune.test to %s", h.ad.Addr), ""},
	} {
		rules := h.live.Snapshot()
		c := rules.Who(netip.MustParseAddr(r.from), h.clock.Now())
		way := h.resolver.Route(rules, &c, name(t, r.name), policy.TypeA, h.clock.Now())
		through := ""
		if way.Through != "" {
			through = way.Through.String()
		}
		if way.Verdict.Action.String() != r.action || way.Describe() != r.local || through != r.through {
			t.Errorf("%s for %s: got %s, %q, through %q", r.name, r.from, way.Verdict.Action, way.Describe(), through)
		}
	}
}

func TestTheCacheShowsWhatItHasOfAName(t *testing.T) {
	h := open(t)
	h.ask(anagrafe, "www.inps.it A")
	h.ask(tributi, "dc.sede.ad.comune.test A", cd)
	h.clock.advance(10 * time.Second)
	got := h.resolver.Cached(name(t, "www.inps.it"))
	if len(got) != 1 || got[0].Forward != "" || got[0].Rcode != "NOERROR" || got[0].Remaining != 3590 || !slices.Equal(got[0].Records, []string{"www.inps.it. 3590 IN A 192.0.2.1"}) {
		t.Errorf("got %+v", got)
	}
	got = h.resolver.Cached(name(t, "dc.sede.ad.comune.test"))
	if len(got) != 1 || got[0].Forward != name(t, "sede.ad.comune.test") || !got[0].CD || got[0].Remaining != 50 {
		t.Errorf("got %+v", got)
	}
}

func TestTheModeShownIsTheClients(t *testing.T) {
	h := open(t)
	for from, want := range map[string]policy.Mode{tributi: policy.Page, relay: policy.NXDomain, cultura: policy.Zero, noOffice: policy.Page} {
		c := h.live.Snapshot().Who(netip.MustParseAddr(from), h.clock.Now())
		if got := h.resolver.Mode(&c, Route{}); got != want {
			t.Errorf("%s: got %s, want %s", from, got, want)
		}
	}
}

func TestATraceFollowsTheAliases(t *testing.T) {
	h := open(t)
	rules := h.live.Snapshot()
	c := rules.Who(netip.MustParseAddr(anagrafe), h.clock.Now())
	way := h.resolver.Route(rules, &c, name(t, "www.inps.it"), policy.TypeA, h.clock.Now())
	got, err := h.resolver.Trace(way, name(t, "www.inps.it"), policy.TypeA)
	if err != nil || got.Rcode != "NOERROR" || !slices.Equal(got.Records, []string{"www.inps.it. 300 IN A 192.0.2.1"}) || len(got.Links) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
