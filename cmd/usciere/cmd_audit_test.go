package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/letter"
	"usciere/policy/request"
	"usciere/policy/store"
)

// aYear is a year of the tax office, made by a daemon's rules and store with a clock of its own; it returns the export of the
// journal, in a folder where nothing else is.
//
//	07 Jan 09:00  office, seat held by M. Verdi on 10.20.2.9
//	02 Mar 10:00  88/2026: www.inps.it until 30 June
//	05 Mar 08:00  its notice goes out as 120/2026
//	16 Mar 11:15  95/2026: www.sister.it
//	20 Mar 08:30  97/2026: www.poste.it until 15 June, 14:31
//	04 May 12:30  g-3 on www.sister.it revoked
//	25 Jun 09:05  140/2026 renews 88/2026: www.inps.it until 30 June 2027
//	10 Sep 10:00  since 1 September the seat is L. Neri's, on 10.20.2.10
//	05 Oct 10:00  no, it is P. Gallo's
//	12 Oct 09:00  160/2026: www.giochi.it, denied on 14 Oct
func aYear(t *testing.T) string {
	t.Helper()
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	var now time.Time
	st, err := store.Open(t.TempDir(), store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var rules *policy.Live
	do := func(when string, changes ...policy.Change) {
		t.Helper()
		if now, err = time.ParseInLocation("2006-01-02 15:04", when, rome); err != nil {
			t.Fatal(err)
		}
		if rules == nil {
			town := policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}, Zone: rome}
			if rules, err = policy.Open(st, town, func() time.Time { return now }); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range changes {
			if _, err := rules.Apply(policy.Actor{Name: "niccolo", Via: "socket"}, c); err != nil {
				t.Fatalf("%s: %v", c.Kind(), err)
			}
		}
	}
	allow := func(name, protocol string, until policy.Moment) policy.AddGrants {
		return policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{name}, Until: until, Protocol: protocol, Reason: "per " + name, Notice: true}
	}
	do("2026-01-07 09:00",
		policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.2.0/24")}},
		policy.AddSeat{ID: "dirigente-tributi", Office: "tributi", Holder: "M. Verdi", From: "2025-01-01", Hosts: []netip.Addr{netip.MustParseAddr("10.20.2.9")}})
	do("2026-03-02 10:00", allow("www.inps.it", "88/2026", "2026-06-30"))
	do("2026-03-05 08:00", letter.Register{Letter: 1, Protocol: "120/2026", Style: letter.Style{Language: "it", Town: "Comune Demo"}})
	do("2026-03-16 11:15", allow("www.sister.it", "95/2026", ""))
	do("2026-03-20 08:30", allow("www.poste.it", "97/2026", "2026-06-15T14:31"))
	do("2026-05-04 12:30", policy.RevokeGrants{Grants: []policy.GrantID{3}, Reason: "non serve più", Notice: true})
	do("2026-06-25 09:05",
		request.Submit{Office: "tributi", Renews: 2, Reason: "serve ancora", Until: "2027-06-30", Paper: request.Paper{Protocol: "140/2026"}},
		request.Approve{Request: 5})
	do("2026-09-10 10:00", policy.AssignSeat{Seat: "dirigente-tributi", Holder: "L. Neri", From: "2026-09-01", Hosts: []netip.Addr{netip.MustParseAddr("10.20.2.10")}})
	do("2026-10-05 10:00", policy.AssignSeat{Seat: "dirigente-tributi", Holder: "P. Gallo", From: "2026-09-01", Correct: true})
	do("2026-10-12 09:00", request.Submit{Office: "tributi", Names: []string{"www.giochi.it"}, Reason: "svago", Paper: request.Paper{Protocol: "160/2026"}})
	do("2026-10-14 09:00", request.Deny{Request: 6, Reason: "non attiene al lavoro"})

	path := filepath.Join(t.TempDir(), "export.jsonl")
	var b bytes.Buffer
	if err := st.Journal(1, func(e journal.Entry) bool { b.Write(append(e.Encode(), '\n')); return true }); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// typed runs a command line in this process, and returns what it printed and how it exits.
func typed(args ...string) (out, problems string, code int) {
	var stdout, stderr bytes.Buffer
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	code = report(&stderr, root.Execute())
	return stdout.String(), stderr.String(), code
}

func TestTwentyDatesOfAnOfficeFromAnExport(t *testing.T) {
	t.Setenv("USCIERE_SOCKET", filepath.Join(t.TempDir(), "no daemon here"))
	export := aYear(t)
	const (
		verdi     = "seat     dirigente-tributi (manager): M. Verdi from 2025-01-01"
		gallo     = "seat     dirigente-tributi (manager): P. Gallo from 2026-09-01"
		corrected = "entered later, on 2026-10-05 10:00 (entry 12); until then the journal named "
		first     = "rule     www.inps.it, grant g-2 for tributi, web, until 2026-06-30"
		renewed   = "rule     www.inps.it, grant g-5 for tributi, web, until 2027-06-30"
	)
	for _, test := range []struct {
		day, name string
		code      int
		want      []string // in what is printed, after the first line
	}{
		{"2025-12-31", "www.inps.it", 3, []string{"why      the journal had not begun", "granted later, on 2026-03-02 10:00", verdi, "entered later, on 2026-01-07 09:00 (entry 3); until then the journal named nobody"}},
		{"2026-01-07", "www.inps.it", 3, []string{"00:00    until 09:00: no: the journal had not begun", "09:00    until 24:00: no: no grant of tributi", "its workstation 10.20.2.9 had no limits (Art. 8) from 09:00 until 24:00"}},
		{"2026-03-01", "www.inps.it", 3, []string{"why      no grant of tributi", "granted later", verdi}},
		{"2026-03-02", "www.inps.it", 5, []string{"00:00    until 10:00: no: no grant", "10:00    until 24:00: yes: www.inps.it, grant g-2", first}},
		{"2026-03-03", "www.inps.it", 0, []string{first, `request  88/2026 of 2026-03-02, signed by the seat "dirigente-tributi" (held by M. Verdi)`, `"per www.inps.it"`, "notice   decision l-1, protocol out 120/2026 of 2026-03-05, issued", "revoked  2026-06-25 09:05 by niccolo", "its workstation 10.20.2.9 had no limits (Art. 8)\n"}},
		{"2026-03-16", "www.sister.it", 5, []string{"until 11:15: no", "11:15    until 24:00: yes: www.sister.it, grant g-3", "revoked  2026-05-04 12:30 by niccolo: \"non serve più\""}},
		{"2026-05-03", "www.sister.it", 0, []string{"95/2026 of 2026-03-16", "notice   revocation l-4, awaiting-protocol"}},
		{"2026-05-04", "www.sister.it", 5, []string{"00:00    until 12:30: yes: www.sister.it, grant g-3", "12:30    until 24:00: no: no grant"}},
		{"2026-05-05", "www.sister.it", 3, []string{"other    grant g-3, www.sister.it, for tributi: revoked before, on 2026-05-04 12:30 by niccolo: \"non serve più\""}},
		{"2026-06-14", "www.poste.it", 0, []string{"grant g-4 for tributi, web, until 2026-06-15T14:31"}},
		{"2026-06-15", "www.poste.it", 5, []string{"00:00    until 14:31: yes: www.poste.it, grant g-4", "14:31    until 24:00: no"}},
		{"2026-06-16", "www.poste.it", 3, []string{"expired before, until 2026-06-15T14:31"}},
		{"2026-06-24", "www.inps.it", 0, []string{first}},
		{"2026-06-25", "www.inps.it", 0, []string{"00:00    until 09:05: yes: www.inps.it, grant g-2", "09:05    until 24:00: yes: www.inps.it, grant g-5", first, renewed, "140/2026 of 2026-06-25", "renewed by request 140/2026"}},
		{"2026-07-01", "www.inps.it", 0, []string{renewed, verdi}},
		{"2026-08-31", "www.inps.it", 0, []string{verdi, "10.20.2.9 had no limits"}},
		{"2026-09-01", "www.inps.it", 0, []string{gallo, corrected + "M. Verdi", "10.20.2.9 had no limits"}},
		{"2026-09-10", "www.inps.it", 0, []string{gallo, corrected + "L. Neri", "10.20.2.9 had no limits (Art. 8) from 00:00 until 10:00", "10.20.2.10 had no limits (Art. 8) from 10:00 until 24:00"}},
		{"2026-10-05", "www.inps.it", 0, []string{gallo + "\n", "10.20.2.10 had no limits (Art. 8)\n"}},
		{"2026-10-15", "www.giochi.it", 3, []string{`denied   www.giochi.it, request 160/2026 of 2026-10-12: "non attiene al lavoro"; denial l-6, awaiting-protocol`}},
		{"2027-07-01", "www.inps.it", 3, []string{"expired before, until 2027-06-30"}},
	} {
		out, problems, code := typed("audit", "--file", export, "--office", "tributi", "--name", test.name, "--on", test.day)
		if code != test.code || problems != "" {
			t.Errorf("%s on %s: exit code %d, want %d; %s", test.name, test.day, code, test.code, problems)
		}
		missing := slices.DeleteFunc(slices.Clone(test.want), func(text string) bool { return strings.Contains(out, text) })
		if len(missing) > 0 {
			t.Errorf("%s on %s: %q is missing in\n%s", test.name, test.day, missing, out)
		}
		if later := func(text string) bool { return strings.Contains(text, "entered later") }; later(out) && !slices.ContainsFunc(test.want, later) {
			t.Errorf("%s on %s: the holder was not entered later\n%s", test.name, test.day, out)
		}
	}
	if out, _, code := typed("audit", "--file", export, "--office", "tributi", "--name", "https://www.inps.it/x", "--on", "2026-05-04", "-o", "json"); code != 0 || !strings.Contains(out, `"complete": true`) {
		t.Errorf("as JSON: exit code %d\n%s", code, out)
	}
}

func TestAForgedEntryIsNamedAndNothingAnswered(t *testing.T) {
	export := aYear(t)
	text, err := os.ReadFile(export)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	audit := func(lines []string, more ...string) (out, problems string, code int) {
		path := filepath.Join(t.TempDir(), "forged.jsonl")
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		return typed(append([]string{"audit", "--file", path, "--office", "tributi", "--name", "www.inps.it", "--on", "2026-05-04"}, more...)...)
	}
	last, err := journal.Decode([]byte(strings.TrimSpace(lines[len(lines)-2])))
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(lines)
	changed[5] = strings.Replace(changed[5], "www.sister.it", "www.sistex.it", 1)
	moved := slices.Clone(lines)
	moved[4], moved[5] = moved[5], moved[4]
	for _, test := range []struct {
		about string
		lines []string
		more  []string
		want  string
	}{
		{"a body was changed", changed, nil, "journal entry 6 (line 6) is changed"},
		{"an entry was removed", slices.Delete(slices.Clone(lines), 6, 7), nil, "journal entry 7 (line 7) is missing"},
		{"two entries changed places", moved, nil, "journal entry 5 (line 5) is missing"},
		{"the end was cut off", lines[:8], []string{"--head", last.Head().String()}, "journal entry 9 (line 9) is cut off"},
		{"half an entry", append(slices.Clone(lines[:3]), lines[3][:40]), nil, "journal entry 4 (line 4) is cut off"},
	} {
		out, problems, code := audit(test.lines, test.more...)
		if code != 1 || out != "" || !strings.Contains(problems, test.want) {
			t.Errorf("%s: exit code %d, answered %q, said %q; want %q", test.about, code, out, problems, test.want)
		}
	}
	if _, problems, code := audit(lines, "--head", last.Head().String()); code != 0 {
		t.Errorf("a sound export that runs through the noted head: exit code %d, %s", code, problems)
	}
}

func TestWhatAuditIsAskedWrongly(t *testing.T) {
	export := aYear(t)
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"--office nessuno --name x.it --on 2026-05-04", 1, `the journal knows no office "nessuno"`},
		{"--office tributi --name x.it --on 4/5/2026", 1, "2027-06-30"},
		{"--office tributi --name x..it --on 2026-05-04", 1, "--name: "},
		{"--office tributi --name x.it --on 2026-05-04 --type A1", 1, `"A1" is no record type`},
		{"--office tributi --name x.it --on 2026-05-04 --timezone Rome", 1, `no time zone "Rome"`},
		{"--office tributi --name x.it --on 2026-05-04 --timezone Local", 1, `no time zone "Local"`},
		{"--office tributi --name x.it --on 2026-05-04 --head 5", 1, "SEQ:HASH"},
		{"--office tributi --name x.it", 2, `required flag(s) "on" not set`},
	} {
		out, problems, code := typed(append([]string{"audit", "--file", export}, strings.Fields(test.args)...)...)
		if code != test.code || out != "" || !strings.Contains(problems, test.want) {
			t.Errorf("%s: exit code %d, %q, %q; want %d with %q", test.args, code, out, problems, test.code, test.want)
		}
	}
}
