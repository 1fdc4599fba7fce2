package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/admin"
)

func TestCellsThatASpreadsheetWouldTakeForFormulas(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "x": "x", "a=b": "a=b", "88/2026": "88/2026", "=1+1": "'=1+1", "+39 0585": "'+39 0585", "-x": "'-x", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1", "＝1": "'＝1", "'=1": "'=1", "\xff=": "\xff=",
	} {
		if got := harmless(cell); got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
}

// Whatever the cells hold, a reader of RFC 4180 gets them back, but for the apostrophes.
func FuzzTheRegisterAsCSVAndJSON(f *testing.F) {
	f.Add("=1+1", "a \"b\",\nc", "x\r\ny")
	f.Add("", "\u202e", "\x00")
	f.Fuzz(func(t *testing.T, reason, subject, why string) {
		for _, text := range []string{reason, subject, why} {
			if policy.CheckText("a text", text, 4000) != nil || strings.ToValidUTF8(text, "") != text {
				return // no change lets it in
			}
		}
		now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		row := &admin.RegisterRow{Kind: "request", ID: "r-1", Reason: reason, Subject: []string{subject}, Left: []policy.Left{{What: subject, Why: why}}, Decided: &now}
		write := func(to func(*bytes.Buffer) registerWriter) []byte {
			var b bytes.Buffer
			w := to(&b)
			for _, err := range []error{w.begin(), w.row(row), w.end(admin.RegisterEnd{Head: "1:ab", Rows: 1})} {
				if err != nil {
					t.Fatal(err)
				}
			}
			return b.Bytes()
		}
		text := write(func(b *bytes.Buffer) registerWriter { return &csvRegister{w: csv.NewWriter(b)} })
		records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil || len(records) != 3 || len(records[1]) != len(registerColumns) {
			t.Fatalf("%v in\n%q", err, text)
		}
		if got, want := records[1][14], harmless(reason); got != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Fatalf("the reason comes back as %q, want %q", got, want)
		}
		for _, r := range records {
			for _, cell := range r {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Fatalf("a spreadsheet would take %q for a formula", cell)
				}
			}
		}
		var document struct {
			Rows  []admin.RegisterRow
			Count int
			Head  string
		}
		text = write(func(b *bytes.Buffer) registerWriter { return &jsonRegister{w: b} })
		if err := json.Unmarshal(text, &document); err != nil || document.Rows[0].Reason != reason || document.Count != 1 || document.Head != "1:ab" {
			t.Fatalf("%v in\n%s", err, text)
		}
	})
}
