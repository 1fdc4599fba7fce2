package policy

import (
	"slices"
	"testing"
	"time"
)

func TestTheCatalogIsWellFormed(t *testing.T) {
	ids := make([]string, 0, len(catalog()))
	for _, sv := range catalog() {
		ids = append(ids, sv.ID)
		if err := CheckID("a service", sv.ID); err != nil || sv.Title == "" || !sv.Builtin || len(sv.Rules) == 0 {
			t.Errorf("%s: %v, title %q, %d rules", sv.ID, err, sv.Title, len(sv.Rules))
		}
		seen := map[Rule]bool{}
		for _, r := range sv.Rules {
			if r.Source == "" || seen[r.Rule] {
				t.Errorf("%s: %s has no source or stands twice", sv.ID, r.Rule)
			}
			if _, err := time.Parse("2006-01", r.Date); err != nil && (r.Date != "" || r.Source != unchecked) {
				t.Errorf("%s: %s is dated %q", sv.ID, r.Rule, r.Date)
			}
			if err := checkServiceRule(&sv, r.Rule); err != nil {
				t.Errorf("%s: %v", sv.ID, err)
			}
			seen[r.Rule] = true
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("ids are not sorted and unique: %v", ids)
	}
}

func TestTheCatalogHasWhatATownHallNeeds(t *testing.T) {
	for _, tc := range []struct {
		id      string
		channel Channel
		covers  []string
	}{
		{"agenzia-entrate", Web, []string{"www.agenziaentrate.gov.it", "telematici.agenziaentrate.gov.it"}},
		{"anpr", Web, []string{"modipa.anpr.interno.it", "www.anagrafenazionale.interno.it"}},
		{"certificate-revocation", Web, []string{"ocsp.digicert.com", "crl.rootca1.amazontrust.com"}},
		{"cie", Web, []string{"idserver.servizicie.interno.gov.it"}},
		{Connectivity, Web, []string{"www.msftconnecttest.com", "ipv6.msftconnecttest.com", "www.msftncsi.com", "dns.msftncsi.com",
			"detectportal.firefox.com", "captive.apple.com", "connectivitycheck.gstatic.com", "connectivity-check.ubuntu.com", "network-test.debian.org"}},
		{"firma-digitale", Web, []string{"eidas.agid.gov.it", "ocsp09.actalis.it"}},
		{"inail", Web, []string{"www.inail.it"}},
		{"inps", Web, []string{"www.inps.it", "servizi2.inps.it"}},
		{"microsoft-365", Web, []string{"login.microsoftonline.com"}},
		{"ntp", Web, []string{"ntp1.inrim.it"}},
		{"pa", Web, []string{"indicepa.gov.it", "www.normattiva.it"}},
		{"pagopa", Web, []string{"api.platform.pagopa.it"}},
		{"pec", Mail, []string{"webmail.pec.it", "imaps.pec.aruba.it", "imap.legalmail.infocert.it"}},
		{"spid", Web, []string{"posteid.poste.it", "registry.spid.gov.it"}},
		{"windows-base", Web, []string{"settings-win.data.microsoft.com"}},
		{"windows-update", Web, []string{"ctldl.windowsupdate.com", "tlu.dl.delivery.mp.microsoft.com"}},
	} {
		i := slices.IndexFunc(catalog(), func(sv Service) bool { return sv.ID == tc.id })
		if i < 0 || catalog()[i].Channel != tc.channel {
			t.Errorf("service %s of channel %s is missing", tc.id, tc.channel)
			continue
		}
		for _, n := range tc.covers {
			if !slices.ContainsFunc(catalog()[i].Rules, func(r ServiceRule) bool { return r.Rule.Covers(name(n)) }) {
				t.Errorf("service %s does not cover %s", tc.id, n)
			}
		}
	}
}
