package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"usciere/policy"
	"usciere/policy/town"
)

// present is the whole policy of a desk.
func (d *desk) present() *TownDocument {
	d.t.Helper()
	out, err := d.Town(ctx(d.t))
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func TestTheTownIsExportedAndAppliedAgain(t *testing.T) {
	d := open(t)
	before := d.present()
	if before.Document.Town != "Comune Demo" || len(before.Document.Offices) != 2 || before.Version == 0 {
		t.Errorf("%+v", before)
	}
	before.Document.Offices["cultura"] = town.Office{Name: "Cultura"}
	before.Document.Hosts = map[netip.Addr]town.Host{netip.MustParseAddr("10.20.2.7"): {Role: policy.Server}}
	sent := int64(0)
	change := TownChange{Document: before.Document, BaseVersion: before.Version, DryRun: true, File: "town.yaml"}
	tried, err := d.ApplyTown(ctx(t), change, func(n, of int64) { sent = of - n })
	if err != nil || tried.Applied || len(tried.Differences) != 2 || tried.Version != before.Version || sent != 0 {
		t.Fatalf("%+v %v, %d octets are missing", tried, err, sent)
	}
	if after := d.present(); after.Version != before.Version {
		t.Fatal("a dry run changed something")
	}
	change.DryRun = false
	done, err := d.ApplyTown(ctx(t), change, nil)
	if err != nil || !done.Applied || len(done.Differences) != 2 || done.Version != d.store.Head().Seq {
		t.Fatalf("%+v %v", done, err)
	}
	_, err = d.ApplyTown(ctx(t), change, nil)
	mustBe(t, err, policy.Conflict, "changed meanwhile", fmt.Sprintf("based on version %d", before.Version))
	change.BaseVersion = 0
	if done, err = d.ApplyTown(ctx(t), change, nil); err != nil || len(done.Differences) != 0 {
		t.Errorf("%+v %v", done, err)
	}
}

func TestADryRunFindsWhatTheChangeWouldBeRefusedFor(t *testing.T) {
	d := open(t)
	now := d.present()
	now.Document.Offices["cultura"] = town.Office{Name: "Cultura", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	_, err := d.ApplyTown(ctx(t), TownChange{Document: now.Document, DryRun: true}, nil)
	mustBe(t, err, policy.Invalid, "outside the site")
	var refusal *policy.Error
	if !errors.As(err, &refusal) || len(refusal.Problems) != 1 || refusal.Problems[0].Path != "offices.cultura.networks[0]" {
		t.Errorf("%+v", refusal)
	}
}

func TestHostileDocuments(t *testing.T) {
	d := open(t)
	before := d.store.Head()
	long := make([]string, 0, 300)
	for i := range 300 {
		long = append(long, fmt.Sprintf(`"o%d":{"name":"%s"}`, i, strings.Repeat("x", 4000)))
	}
	for _, test := range []struct {
		about, content string
		status         int
		says           string
	}{
		{"no document", `{"dry_run":true}`, 400, "there is no document"},
		{"a key in capitals", `{"document":{"Offices":{}}}`, 400, `unknown field "Offices"`},
		{"an office twice", `{"document":{"offices":{"a":{"name":"A"},"a":{"name":"B"}}}}`, 400, `field "a" stands twice`},
		{"an id with capitals", `{"document":{"offices":{"Anagrafe":{"name":"A"}}}}`, 400, `unknown field "Anagrafe"`},
		{"an id that is none", `{"document":{"offices":{"a--b":{"name":"A"}}}}`, 400, "is no id"},
		{"an unknown key of an office", `{"document":{"offices":{"a":{"name":"A","colour":"red"}}}}`, 400, `unknown field "colour"`},
		{"a document over a mebibyte that says something wrong", `{"document":{"offices":{` + strings.Join(long, ",") + `}}}`, 400, "200 are the most"},
		{"a length over the limit", "", 400, "longer than 67108864 octets"},
	} {
		t.Run(test.about, func(t *testing.T) {
			request := postOf("/v1/town/apply", strings.Replace(test.content, `{"document"`, `{"keep_unlisted":true,"document"`, 1))
			if test.content == "" {
				request = fmt.Sprintf("POST /v1/town/apply HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{", MaxDocument+1)
			}
			r, refusal := d.raw(request)
			if r == nil || r.StatusCode != test.status || refusal == nil || !strings.Contains(refusal.Error(), test.says) {
				t.Errorf("%v %v, want %q", r, refusal, test.says)
			}
		})
	}
	if after := d.store.Head(); after != before {
		t.Errorf("the journal went from %v to %v", before, after)
	}
}

func TestADocumentInJSONIsTheSameAgain(t *testing.T) {
	now := open(t).present()
	text, err := json.Marshal(now.Document)
	if err != nil {
		t.Fatal(err)
	}
	back := new(town.Document)
	if err := decode(text, back); err != nil {
		t.Fatal(err)
	}
}
