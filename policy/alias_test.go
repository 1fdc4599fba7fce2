package policy

import (
	"fmt"
	"strings"
	"testing"
)

// told are the aliases that are kept, as text: new owners in capitals.
func (town *aTown) told() string {
	town.t.Helper()
	all, err := town.Aliases()
	if err != nil {
		town.t.Fatal(err)
	}
	var lines []string
	for _, a := range all {
		line := a.Name.String() + ":"
		for _, o := range a.Owners {
			if o.New {
				line += " " + strings.ToUpper(o.Owner)
			} else {
				line += " " + o.Owner
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestWhomANameLeadsToIsNewsUntilItIsAccepted(t *testing.T) {
	town := newTown(t)
	www, mail := name("www.x.it"), name("mail.x.it")
	learn := func(want string, led ...Led) {
		t.Helper()
		for i := range led {
			led[i].At = town.now
		}
		if err := town.Learn(led); err != nil {
			t.Fatal(err)
		}
		if got := town.told(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	version := town.Snapshot()
	learn("mail.x.it:; www.x.it: a.net", Led{Name: www, Owners: []string{"a.net"}, First: true}, Led{Name: mail, First: true})
	learn("mail.x.it: B.NET; www.x.it: a.net", Led{Name: mail, Owners: []string{"b.net"}})
	learn("mail.x.it: B.NET; www.x.it: a.net C.NET", Led{Name: www, Owners: []string{"a.net", "c.net"}})
	if town.Snapshot() != version {
		t.Error("what was learnt made other rules")
	}
	town.refused(NotFound, "y.it leads to nobody new", AcceptAliases{Names: []Name{www, name("y.it")}})
	town.refused(Invalid, "which names", AcceptAliases{})
	learn("mail.x.it: B.NET; www.x.it: a.net C.NET")
	town.do(AcceptAliases{Names: []Name{www}})
	learn("mail.x.it: B.NET; www.x.it: a.net c.net")
	town.refused(NotFound, "www.x.it leads to nobody new", AcceptAliases{Names: []Name{www}})
	learn("www.x.it: a.net c.net", Led{Name: mail, Forgotten: true})
	learn("mail.x.it: b.net; www.x.it: a.net c.net", Led{Name: mail, Owners: []string{"b.net"}, First: true})
	for i := range 40 {
		if err := town.Learn([]Led{{Name: www, Owners: []string{fmt.Sprintf("o%d.net", i)}, At: town.now}}); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := town.Aliases()
	if owners := all[1].Owners; len(owners) != MaxAliasOwners || owners[0].Owner != "a.net" {
		t.Errorf("%d owners: %v", len(owners), owners)
	}
}
