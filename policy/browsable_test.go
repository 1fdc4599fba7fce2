package policy

import (
	"testing"

	"golang.org/x/net/publicsuffix"
)

// Every label of two letters, and longer ones of all sorts, asked twice: what is kept of the list is what the list says.
func TestTopLevelDomainsAreThoseOfTheList(t *testing.T) {
	labels := []string{"com", "arpa", "gov", "museum", "online", "shop", "xn--p1ai", "xn--fiqs8s", "local", "lan", "wpad", "internal", "corp", "onion", "test"}
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			labels = append(labels, string([]rune{a, b}))
		}
	}
	public := 0
	for range 2 {
		for _, label := range labels {
			_, want := publicsuffix.PublicSuffix(label)
			if want {
				public++
			}
			wire := []byte(name(label))
			if isPublic(wire) != want {
				t.Errorf("%s: %v; want %v", label, !want, want)
			}
			if Browsable([]byte(name("www."+label))) != (want && label != "arpa") {
				t.Errorf("www.%s: browsable is not %v", label, want)
			}
		}
	}
	if public < 2*200 {
		t.Errorf("only %d labels are public", public/2)
	}
}

func TestBrowsableAllocatesNothing(t *testing.T) {
	site, lan := []byte(name("www.comune.massa.ms.it")), []byte(name("stampante.lan"))
	if n := testing.AllocsPerRun(100, func() { Browsable(site); Browsable(lan) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
