package policy

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"testing"
)

var homeAddr = netip.MustParseAddr("198.51.100.7") // outside the site

func TestSecretsAreRandomAndFitIntoALabel(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		secret, h := NewSecret()
		if len(secret) != 32 || strings.Trim(secret, "abcdefghijklmnopqrstuvwxyz234567") != "" || h != sha256.Sum256([]byte(secret)) || seen[secret] {
			t.Fatalf("%q, %s", secret, h)
		}
		seen[secret] = true
	}
}

func TestAHashIsItsHexadecimalText(t *testing.T) {
	_, h := NewSecret()
	text, _ := h.MarshalText()
	var back Hash
	if err := back.UnmarshalText(text); err != nil || back != h {
		t.Errorf("%s came back as %s: %v", text, back, err)
	}
	for _, wrong := range []string{"", "ab", strings.Repeat("g", 64), strings.Repeat("a", 66)} {
		if back.UnmarshalText([]byte(wrong)) == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestWhoShowsATokenIsWhoseItIs(t *testing.T) {
	town := newTown(t)
	who := func(shown Shown, at netip.Addr, want string) {
		t.Helper()
		c := town.Snapshot().WhoShows(shown, at, town.now)
		office := "nobody"
		if c.Office != nil {
			office = c.Office.ID
		}
		if !c.Inside {
			office = "refused"
		}
		got := strings.Join(strings.Fields(office+" "+string(c.Role)+" "+c.Seat+" "+c.Token), " ")
		if c.Away {
			got += " away"
		}
		if got != want || c.Addr != at {
			t.Errorf("%s is %q, not %q", at, got, want)
		}
	}
	inside := addr("10.20.1.5")
	secret, host, key := Shown{Secret: Hash{1}}, Shown{Secret: Hash{2}}, Shown{Certificate: Hash{3}}
	who(secret, homeAddr, "refused employee")
	who(secret, inside, "refused employee") // it meant to be somebody
	who(key, inside, "anagrafe employee")   // it says nothing
	who(key, homeAddr, "refused employee")
	who(Shown{}, inside, "anagrafe employee")

	town.do(AddHost{Addr: addr("10.20.1.77"), Name: "portatile"})
	town.do(AddToken{ID: "casa", Hash: Hash{1}, Seat: "dirigente-tributi"})
	town.do(AddToken{ID: "portatile", Hash: Hash{2}, Host: addr("10.20.1.77")})
	town.do(AddToken{ID: "chiave", Shows: Certificate, Hash: Hash{3}, Seat: "dirigente-tributi", Until: "2026-03-02"})
	who(secret, homeAddr, "tributi manager dirigente-tributi casa away")
	who(secret, inside, "tributi manager dirigente-tributi casa")
	who(host, homeAddr, "anagrafe employee portatile away")
	who(host, addr("10.20.2.9"), "anagrafe employee portatile") // in another office's network
	who(key, homeAddr, "tributi manager dirigente-tributi chiave away")
	who(Shown{Secret: Hash{3}}, homeAddr, "refused employee") // the hash of a public key is no secret
	who(Shown{Certificate: Hash{1}}, homeAddr, "refused employee")
	who(Shown{Secret: Hash{1}, Certificate: Hash{9}}, homeAddr, "tributi manager dirigente-tributi casa away")
	who(Shown{Secret: Hash{9}, Certificate: Hash{3}}, homeAddr, "refused employee")
	if !town.Snapshot().Certificates() {
		t.Error("no certificate is wanted")
	}

	town.do(RotateToken{ID: "casa", Hash: Hash{11}})
	who(secret, homeAddr, "refused employee") // the very next question
	who(Shown{Secret: Hash{11}}, homeAddr, "tributi manager dirigente-tributi casa away")
	town.do(AssignSeat{Seat: "dirigente-tributi", Holder: "P. Gallo"})
	who(Shown{Secret: Hash{11}}, homeAddr, "tributi manager dirigente-tributi casa away") // the seat's, whoever holds it
	town.do(RevokeToken{ID: "casa"})
	who(Shown{Secret: Hash{11}}, homeAddr, "refused employee")
	town.now = town.now.AddDate(0, 0, 1)
	who(key, homeAddr, "refused employee") // its last day is over

	if err := town.Reload(town.Snapshot().Town()); err != nil {
		t.Fatal(err)
	}
	who(host, homeAddr, "anagrafe employee portatile away")
	town.do(RemoveHost{Addr: addr("10.20.1.77")})
	who(host, homeAddr, "refused employee")
	town.do(AddHost{Addr: addr("10.20.1.77"), Name: "another"})
	who(host, homeAddr, "refused employee")
	town.do(RemoveSeat{Seat: "dirigente-tributi"})
	if left := town.Snapshot().Tokens(); len(left) != 0 || town.Snapshot().Certificates() {
		t.Errorf("left are %v", left)
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	town := newTown(t)
	town.do(AddToken{ID: "casa", Hash: Hash{1}, Seat: "dirigente-tributi"})
	for _, test := range []struct {
		change Change
		code   Code
		says   string
	}{
		{AddToken{ID: "Casa", Hash: Hash{2}, Seat: "dirigente-tributi"}, Invalid, "no id of a token"},
		{AddToken{ID: "casa", Hash: Hash{2}, Seat: "dirigente-tributi"}, Conflict, "there already, of the seat dirigente-tributi"},
		{AddToken{ID: "due", Hash: Hash{2}}, Invalid, "whose is token due"},
		{AddToken{ID: "due", Hash: Hash{2}, Seat: "dirigente-tributi", Host: addr("10.20.1.5")}, Invalid, "whose is token due"},
		{AddToken{ID: "due", Hash: Hash{2}, Seat: "nessuno"}, NotFound, "nessuno"},
		{AddToken{ID: "due", Hash: Hash{2}, Host: addr("10.20.1.99")}, NotFound, "no host 10.20.1.99"},
		{AddToken{ID: "due", Seat: "dirigente-tributi"}, Invalid, "has no hash"},
		{AddToken{ID: "due", Hash: Hash{1}, Seat: "dirigente-tributi"}, Conflict, "what the token casa of the seat"},
		{AddToken{ID: "due", Hash: Hash{2}, Seat: "dirigente-tributi", Until: "domani"}, Invalid, "domani"},
		{RotateToken{ID: "due", Hash: Hash{2}}, NotFound, `no token "due"`},
		{RotateToken{ID: "casa", Hash: Hash{1}}, Invalid, "known by it already"},
		{RevokeToken{ID: "due"}, NotFound, `no token "due"`},
	} {
		town.refused(test.code, test.says, test.change)
	}
}

func TestWhoShowsAllocatesNothing(t *testing.T) {
	town := newTown(t)
	town.do(AddToken{ID: "casa", Hash: Hash{1}, Seat: "dirigente-tributi"})
	s := town.Snapshot()
	if n := testing.AllocsPerRun(100, func() { s.WhoShows(Shown{Secret: Hash{1}}, homeAddr, town.now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
