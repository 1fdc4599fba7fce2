//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"testing"

	"usciere/resolver/dnstest"
)

// A granted name whose alias comes to lead to somebody else is told of until somebody says that it is right, over a kill as well.
func TestAGrantedNameThatLeadsToSomebodyElseIsTold(t *testing.T) {
	up := dnstest.Start(t, dnstest.Records())
	become := func(records ...string) { up.SetHandler(dnstest.Records(records...)) }
	args := []string{"--demo", "--upstream", up.Addr.String()}
	d := serve(t, setup{args: args})
	asks := func() {
		t.Helper()
		d.must("cache", "flush", "--all")
		if got := d.dig("127.10.1.5", "www.inps.it"); got.status != "NOERROR" {
			t.Fatalf("%+v", got)
		}
	}
	become("www.inps.it. 60 IN CNAME www.inps.it.cdn.test.", "www.inps.it.cdn.test. 60 IN A 192.0.2.1")
	asks()
	says(t, d.must("alias", "list"), "no granted name leads to an owner that was not seen before")
	become("www.inps.it. 60 IN CNAME left.behind.example.", "left.behind.example. 60 IN A 192.0.2.66")
	asks()
	told := func(d *daemon) bool { return strings.Contains(d.must("alias", "list"), "behind.example") }
	eventually(t, "it is told", func() bool { return told(d) })
	says(t, d.must("alias", "list"), "www.inps.it behind.example 20", "cdn.test anagrafe")
	says(t, d.must("status"), "a granted name leads to an owner not seen before: see `usciere alias list`")
	says(t, d.must("review", "anagrafe"), "alias www.inps.it leads to behind.example since 20")
	if r := d.must("review", "tributi"); strings.Contains(r, "behind.example") {
		t.Errorf("another office's review has it:\n%s", r)
	}
	says(t, d.log.String(), "a granted name leads to another owner", "owner=behind.example before=cdn.test")

	d.signal(syscall.SIGKILL)
	<-d.done
	d = d.again(args...)
	if !told(d) {
		t.Error("after a kill it is not told any more")
	}
	asks()
	says(t, d.must("alias", "accept", "www.inps.it"), "accepted www.inps.it cdn.test, behind.example")
	if told(d) || strings.Contains(d.must("status"), "alias list") {
		t.Error("it is told although it was accepted")
	}
	says(t, d.must("journal"), "alias.accept")
	if r := d.usciere("alias", "accept", "www.inps.it"); r.code == 0 || !strings.Contains(r.err, "leads to nobody new") {
		t.Errorf("twice: %s", r)
	}
	become("www.inps.it. 60 IN CNAME www.inps.it.cdn.test.", "www.inps.it.cdn.test. 60 IN A 192.0.2.1")
	asks()
	d.stop() // what was learnt is kept
	d = d.again(args...)
	says(t, d.must("alias", "list", "--all"), "www.inps.it - - cdn.test, behind.example anagrafe")
	d.verify()
}
