package journal

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 500_000_000, time.UTC)

// chain seals n entries of a small town, one a minute.
func chain(t testing.TB, n int) []Entry {
	t.Helper()
	var head Head
	var entries []Entry
	for i := range n {
		e, err := Seal(head, Entry{
			Time:    start.Add(time.Duration(i) * time.Minute),
			Actor:   Actor{UID: 1000, Name: "niccolò", PID: 812, Via: ViaSocket},
			Kind:    "grant.add",
			Office:  "anagrafe",
			Request: "1234/2026",
			Body:    json.RawMessage(`{ "rule": "*.inps.it", "n": ` + strings.Repeat("1", i+1) + `.50 }`),
		})
		if err != nil {
			t.Fatal(err)
		}
		head = e.Head()
		entries = append(entries, e)
	}
	return entries
}

func TestSealFillsInTheChain(t *testing.T) {
	e := chain(t, 2)
	if e[0].Seq != 1 || e[1].Seq != 2 {
		t.Errorf("sequence numbers %d, %d; want 1, 2", e[0].Seq, e[1].Seq)
	}
	if (e[0].Prev != Hash{}) || e[1].Prev != e[0].Hash {
		t.Error("prev does not name the entry before")
	}
	if got, want := string(e[0].Body), `{"rule":"*.inps.it","n":1.50}`; got != want {
		t.Errorf("body %s; want %s: compact, its numbers as they were", got, want)
	}
}

// The hash in this test is fixed: were it to change, journals already written would no longer verify.
func TestTheFormatOfAnEntryIsFixed(t *testing.T) {
	e, err := Seal(Head{}, Entry{
		Time: start.In(time.FixedZone("CET", 3600)), Actor: Actor{UID: 0, Name: "root", PID: 1, Via: ViaSystem},
		Kind: "office.add", Body: json.RawMessage("{\"text\": \"<a & b>\u2028\\u00e8\", \"n\": 1e400}"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"seq":1,"time":"2026-03-02T08:00:00.5Z","actor":{"uid":0,"name":"root","pid":1,"via":"system"},` +
		"\"kind\":\"office.add\",\"body\":{\"text\":\"<a & b>\u2028\\u00e8\",\"n\":1e400}," +
		`"prev":"` + strings.Repeat("0", 64) + `","hash":"HASH"}`
	want = strings.Replace(want, "HASH", fixedHash, 1)
	if got := string(e.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const fixedHash = "b253fd1b171cb3aeb71b0171f61e7667147fedb2ed8171e1d1c36bb229e7ef38"

func TestSealRefusesWhatCouldNotBeVerified(t *testing.T) {
	good := Entry{Time: start, Kind: "grant.add", Body: json.RawMessage(`{}`)}
	for _, tc := range []struct {
		name   string
		change func(*Entry)
		want   string
	}{
		{"no time", func(e *Entry) { e.Time = time.Time{} }, "no time"},
		{"a time that RFC 3339 cannot hold", func(e *Entry) { e.Time = start.AddDate(9000, 0, 0) }, "year"},
		{"no kind", func(e *Entry) { e.Kind = "" }, "no kind"},
		{"no body", func(e *Entry) { e.Body = nil }, "not valid JSON"},
		{"a broken body", func(e *Entry) { e.Body = json.RawMessage(`{"a":}`) }, "not valid JSON"},
		{"two values as body", func(e *Entry) { e.Body = json.RawMessage(`{} {}`) }, "not valid JSON"},
		{"a body that smuggles in a member", func(e *Entry) { e.Body = json.RawMessage(`{},"seq":9`) }, "not valid JSON"},
		{"invalid UTF-8 in the body", func(e *Entry) { e.Body = json.RawMessage("\"\xff\"") }, "invalid UTF-8"},
		{"invalid UTF-8 in a name", func(e *Entry) { e.Actor.Name = "\xff" }, "invalid UTF-8"},
		{"a body nested too deeply", func(e *Entry) {
			e.Body = json.RawMessage(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))
		}, "depth"},
		{"a body over the limit", func(e *Entry) {
			e.Body = json.RawMessage(`"` + strings.Repeat("a", MaxEntry) + `"`)
		}, "the limit is"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := good
			tc.change(&e)
			if _, err := Seal(Head{}, e); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v; want one with %q", err, tc.want)
			}
		})
	}
}

func TestDecodeIsStrict(t *testing.T) {
	line := string(chain(t, 1)[0].Encode())
	edit := func(old, new string) string {
		if !strings.Contains(line, old) {
			t.Fatalf("%s has no %s", line, old)
		}
		return strings.Replace(line, old, new, 1)
	}
	for _, tc := range []struct{ name, line string }{
		{"empty", ""},
		{"not an object", "[]"},
		{"null", "null"},
		{"cut", line[:len(line)-1]},
		{"two entries", line + line},
		{"unknown member", edit(`"kind"`, `"sort":1,"kind"`)},
		{"unknown member of the actor", edit(`"uid"`, `"gid":1,"uid"`)},
		{"repeated member", edit(`"kind"`, `"kind":"office.add","kind"`)},
		{"repeated member of the actor", edit(`"uid"`, `"uid":0,"uid"`)},
		{"member in another case", edit(`"kind"`, `"Kind"`)},
		{"member in another order", edit(`"seq":1,`, ``)[:len(line)-len(`"seq":1,}`)] + `,"seq":1}`},
		{"missing member", edit(`"pid":812,`, ``)},
		{"missing body", edit(`"body":`+string(chain(t, 1)[0].Body)+`,`, ``)},
		{"sequence number 0", edit(`"seq":1`, `"seq":0`)},
		{"number written in another way", edit(`"seq":1`, `"seq":1e0`)},
		{"number out of range", edit(`"uid":1000`, `"uid":4294967296`)},
		{"no kind", edit(`grant.add`, ``)},
		{"empty office", edit(`anagrafe`, ``)},
		{"string escaped in another way", edit(`niccolò`, `niccol\u00f2`)},
		{"time not in UTC", edit(`08:00:00.5Z`, `09:00:00.5+01:00`)},
		{"time with a needless zero", edit(`08:00:00.5Z`, `08:00:00.50Z`)},
		{"hash in upper case", edit(line[len(line)-66:], strings.ToUpper(line[len(line)-66:len(line)-2])+`"}`)},
		{"short hash", edit(line[len(line)-4:], `"}`)},
		{"invalid UTF-8", edit(`inps`, "in\xffps")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if e, err := Decode([]byte(tc.line)); err == nil {
				t.Errorf("decoded to %+v; want an error", e)
			}
		})
	}
}

func TestDecodeBringsBackWhatSealMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "body"))
		if err != nil {
			t.Fatal(err)
		}
		prev := Head{Seq: rapid.Uint64Range(0, 1<<63).Draw(t, "seq")}
		copy(prev.Hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "prev"))
		in := Entry{
			Time: time.Unix(rapid.Int64Range(0, 250_000_000_000).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
			Actor: Actor{UID: rapid.Uint32().Draw(t, "uid"), Name: rapid.String().Draw(t, "name"),
				PID: rapid.Int32().Draw(t, "pid"), Via: rapid.String().Draw(t, "via")},
			Kind:   rapid.StringN(1, 20, -1).Draw(t, "kind"),
			Office: rapid.String().Draw(t, "office"), Request: rapid.String().Draw(t, "request"),
			Body: body,
		}
		sealed, err := Seal(prev, in)
		if err != nil {
			t.Fatal(err)
		}
		if !sealed.Time.Equal(in.Time) {
			t.Fatalf("time %v became %v", in.Time, sealed.Time)
		}
		line := sealed.Encode()
		out, err := Decode(line)
		if err != nil {
			t.Fatal(err)
		}
		if string(out.Encode()) != string(line) {
			t.Fatalf("%s became %s", line, out.Encode())
		}
		if err := Verify(prev, out); err != nil {
			t.Fatal(err)
		}
		// Nothing about it can change unseen.
		i := rapid.IntRange(0, len(line)-1).Draw(t, "at")
		forged := append([]byte(nil), line...)
		forged[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if e, err := Decode(forged); err == nil && Verify(prev, e) == nil {
			t.Fatalf("%s passes for %s", forged, line)
		}
	})
}

func TestVerifyNamesWhatIsWrongWithAStep(t *testing.T) {
	entries := chain(t, 3)
	other, err := Seal(Head{Seq: 1, Hash: Hash{1}}, entries[1])
	if err != nil {
		t.Fatal(err)
	}
	changed := entries[1]
	changed.Actor.UID = 0
	for _, tc := range []struct {
		name  string
		entry Entry
		want  Reason
		seq   uint64
	}{
		{"the next entry", entries[1], "", 0},
		{"the one after it", entries[2], Missing, 2},
		{"the one before it", entries[0], OutOfOrder, 1},
		{"a changed one", changed, Changed, 2},
		{"one sealed upon another journal", other, Replaced, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Verify(entries[0].Head(), tc.entry)
			if tc.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			bad, ok := errors.AsType[*BadEntryError](err)
			if !ok || bad.Reason != tc.want || bad.Seq != tc.seq || bad.Line != 0 {
				t.Errorf("got %v; want entry %d %s", err, tc.seq, tc.want)
			}
		})
	}
}

func TestHeadTextComesBack(t *testing.T) {
	for _, h := range []Head{{}, chain(t, 1)[0].Head()} {
		got, err := ParseHead(h.String())
		if err != nil || got != h {
			t.Errorf("%s came back as %s, %v", h, got, err)
		}
	}
	for _, text := range []string{"", "1", "1:", ":" + fixedHash, "x:" + fixedHash, "-1:" + fixedHash,
		"1:" + fixedHash + "0", "1:" + strings.Repeat("x", 64), "0:" + fixedHash, "1:" + strings.Repeat("0", 64)} {
		if h, err := ParseHead(text); err == nil {
			t.Errorf("%q was read as %s; want an error", text, h)
		}
	}
}
