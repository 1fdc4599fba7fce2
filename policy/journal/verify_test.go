package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// export writes entries as Export does, but whatever they are.
func export(entries ...Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.Write(e.Encode())
		b.WriteByte('\n')
	}
	return b.String()
}

// reseal seals the entries anew from the given one on, as a forger would who knows the format.
func reseal(t testing.TB, entries []Entry, from int) []Entry {
	t.Helper()
	out := slices.Clone(entries)
	for i := from; i < len(out); i++ {
		var prev Head
		if i > 0 {
			prev = out[i-1].Head()
		}
		e, err := Seal(prev, out[i])
		if err != nil {
			t.Fatal(err)
		}
		out[i] = e
	}
	return out
}

func TestVerifyStreamNamesTheFirstBadEntry(t *testing.T) {
	e := chain(t, 5)
	whole := export(e...)
	end := e[4].Head()
	with := func(i int, change func(*Entry)) []Entry {
		out := slices.Clone(e)
		change(&out[i])
		return out
	}
	grabbed := func(e *Entry) { e.Body = json.RawMessage(`{"rule":"*.example.com"}`) }
	last := len(whole) - len(e[4].Encode()) - 1 // where the last line begins

	for _, tc := range []struct {
		name   string
		export string
		want   Head
		reason Reason // "" = sound
		seq    uint64
		line   int
	}{
		{"sound", whole, Head{}, "", 0, 0},
		{"sound, up to the head noted", whole, end, "", 0, 0},
		{"sound, through a head noted earlier", whole, e[2].Head(), "", 0, 0},
		{"empty", "", Head{}, "", 0, 0},
		{"empty lines between the entries", strings.ReplaceAll(whole, "\n", "\r\n\n"), end, "", 0, 0},

		{"changed body", export(with(2, grabbed)...), Head{}, Changed, 3, 3},
		{"changed number text in a body", strings.Replace(whole, "111.50", "111.5", 1), Head{}, Changed, 3, 3},
		{"changed time", export(with(1, func(e *Entry) { e.Time = start })...), Head{}, Changed, 2, 2},
		{"changed actor", export(with(0, func(e *Entry) { e.Actor.UID = 0 })...), Head{}, Changed, 1, 1},
		{"request taken away", export(with(4, func(e *Entry) { e.Request = "" })...), Head{}, Changed, 5, 5},
		{"changed hash", export(with(3, func(e *Entry) { e.Hash[0]++ })...), Head{}, Changed, 4, 4},
		{"changed link", export(with(3, func(e *Entry) { e.Prev[0]++ })...), Head{}, Changed, 4, 4},
		{"changed and given its new hash", export(append(reseal(t, with(2, grabbed)[:3], 2), e[3:]...)...), Head{}, Replaced, 4, 4},
		{"rewritten from the middle on, no head noted", export(reseal(t, with(2, grabbed), 2)...), Head{}, "", 0, 0},
		{"rewritten from the middle on", export(reseal(t, with(2, grabbed), 2)...), end, Rewritten, 5, 5},
		{"rewritten from the middle on, head noted on the way", export(reseal(t, with(2, grabbed), 2)...), e[2].Head(), Rewritten, 3, 3},

		{"first removed", export(e[1:]...), Head{}, Missing, 1, 1},
		{"middle removed", export(slices.Delete(slices.Clone(e), 2, 3)...), Head{}, Missing, 3, 3},
		{"two swapped", export(e[0], e[2], e[1], e[3], e[4]), Head{}, Missing, 2, 2},
		{"one twice", export(e[0], e[1], e[1], e[2]), Head{}, OutOfOrder, 2, 3},
		{"two exports one after the other", whole + whole, Head{}, OutOfOrder, 1, 6},
		{"tail cut, no head noted", export(e[:3]...), Head{}, "", 0, 0},
		{"tail cut", export(e[:3]...), end, Cut, 4, 4},
		{"all cut", "", end, Cut, 1, 1},
		{"forged entry appended", whole + strings.Replace(string(e[4].Encode()), `"seq":5`, `"seq":6`, 1) + "\n", Head{}, Changed, 6, 6},
		{"forged entry appended upon nothing", whole + export(reseal(t, with(4, func(e *Entry) { e.Seq = 6 }), 4)[4]), Head{}, OutOfOrder, 5, 6},

		{"last line cut in a string", whole[:last+10], Head{}, Cut, 5, 5},
		{"last line cut between members", whole[:len(whole)-2], Head{}, Cut, 5, 5},
		{"last newline cut", whole[:len(whole)-1], Head{}, Cut, 5, 5},
		{"a line in the middle cut in a string", strings.Replace(whole, string(e[1].Encode()), `{"seq":2,"ti`, 1), Head{}, Cut, 2, 2},
		{"a line in the middle cut between members", strings.Replace(whole, string(e[1].Encode()), `{"seq":2,`, 1), Head{}, Cut, 2, 2},
		{"two entries on a line", strings.Replace(whole, "}\n", "}", 1), Head{}, Malformed, 1, 1},
		{"a line that is no entry", export(e[0]) + "hello\n", Head{}, Malformed, 2, 2},
		{"an array of entries", "[" + whole + "]\n", Head{}, Cut, 1, 1},
		{"an entry over the limit", export(e[0]) + "{" + strings.Repeat(" ", MaxEntry) + "\n", Head{}, Malformed, 2, 2},
		{"entries without end", export(e[0]) + strings.Repeat("["+strings.Repeat(" ", 1<<16)+"\n", MaxEntry>>16), Head{}, Malformed, 2, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			head, n, err := VerifyStream(strings.NewReader(tc.export), tc.want)
			if uint64(n) != head.Seq {
				t.Errorf("%d entries, but the head is %s", n, head)
			}
			if tc.reason == "" {
				if err != nil {
					t.Errorf("got error %v; want none", err)
				}
				return
			}
			bad, ok := errors.AsType[*BadEntryError](err)
			if !ok || bad.Reason != tc.reason || bad.Seq != tc.seq || bad.Line != tc.line {
				t.Errorf("got %v; want entry %d (line %d) %s", err, tc.seq, tc.line, tc.reason)
			}
		})
	}
}

func TestAnIndentedExportStillVerifies(t *testing.T) {
	e := chain(t, 3)
	for _, indent := range []string{"", " ", "\t"} {
		var b bytes.Buffer
		for _, entry := range e {
			if err := json.Indent(&b, entry.Encode(), "", indent); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
		}
		if head, n, err := VerifyStream(&b, e[2].Head()); err != nil || n != 3 || head != e[2].Head() {
			t.Errorf("indented by %q: %s, %d, %v", indent, head, n, err)
		}
	}
}

func TestTheLargestEntryThatSealAcceptsIsExportedAndVerified(t *testing.T) {
	entry := chain(t, 1)[0]
	entry.Body = json.RawMessage(`""`)
	small, err := Seal(Head{}, entry)
	if err != nil {
		t.Fatal(err)
	}
	entry.Body = json.RawMessage(`"` + strings.Repeat("a", MaxEntry-len(small.Encode())) + `"`)
	large, err := Seal(Head{}, entry)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(large.Encode()); n != MaxEntry {
		t.Fatalf("the entry has %d octets; want %d", n, MaxEntry)
	}
	if head, _, err := VerifyStream(strings.NewReader(export(large)), Head{}); err != nil || head != large.Head() {
		t.Errorf("%s, %v", head, err)
	}
}

func TestAFailingReaderIsNotTakenForACutJournal(t *testing.T) {
	broken := errors.New("disk on fire")
	e := chain(t, 2)
	r := io.MultiReader(strings.NewReader(export(e[0])), iotest.ErrReader(broken))
	head, n, err := VerifyStream(r, Head{})
	if !errors.Is(err, broken) || n != 1 || head != e[0].Head() {
		t.Errorf("%s, %d, %v; want the reader's error after the first entry", head, n, err)
	}
	if _, ok := errors.AsType[*BadEntryError](err); ok {
		t.Error("the reader's error is reported as a bad entry")
	}
}

func TestExport(t *testing.T) {
	e := chain(t, 4)
	each := func(entries []Entry, end error) func() (Entry, bool, error) {
		return func() (Entry, bool, error) {
			if len(entries) == 0 {
				return Entry{}, false, end
			}
			first := entries[0]
			entries = entries[1:]
			return first, true, nil
		}
	}
	t.Run("writes what verifies", func(t *testing.T) {
		var b strings.Builder
		head, err := Export(&b, each(e, nil))
		if err != nil || head != e[3].Head() || b.String() != export(e...) {
			t.Errorf("%s, %v:\n%s", head, err, &b)
		}
	})
	t.Run("stops at the first bad entry", func(t *testing.T) {
		forged := slices.Clone(e)
		forged[2].Kind = "grant.withdraw"
		var b strings.Builder
		head, err := Export(&b, each(forged, nil))
		bad, ok := errors.AsType[*BadEntryError](err)
		if !ok || bad.Seq != 3 || bad.Reason != Changed || head != e[1].Head() || b.String() != export(e[:2]...) {
			t.Errorf("%s, %v:\n%s", head, err, &b)
		}
	})
	t.Run("passes on the source's error", func(t *testing.T) {
		broken := errors.New("no such page")
		if head, err := Export(io.Discard, each(e[:1], broken)); !errors.Is(err, broken) || head != e[0].Head() {
			t.Errorf("%s, %v", head, err)
		}
	})
	t.Run("passes on the writer's error", func(t *testing.T) {
		r, w := io.Pipe()
		r.Close()
		if _, err := Export(w, each(e, nil)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v", err)
		}
	})
}

// oracle verifies an export by the package comment alone, with nothing of this package: it reads lines without white
// space between tokens, and trusts no JSON decoder but for seq.
func oracle(export string) bool {
	prev, seq := strings.Repeat("0", 64), 0
	for export != "" {
		line, rest, found := strings.Cut(export, "\n")
		if !found || len(line) < 149 {
			return false
		}
		export, seq = rest, seq+1
		content, links := line[:len(line)-149], line[len(line)-149:]
		digest := sha256.Sum256([]byte("usciere journal v1\n" + prev + "\n" + content + "}"))
		hash := hex.EncodeToString(digest[:])
		if links != `,"prev":"`+prev+`","hash":"`+hash+`"}` || !strings.HasPrefix(line, `{"seq":`+strconv.Itoa(seq)+`,"time":`) {
			return false
		}
		prev = hash
	}
	return true
}

func TestTheDocumentedFormatSufficesToVerify(t *testing.T) {
	sound := export(chain(t, 3)...)
	if !oracle(sound) {
		t.Fatal("a verifier that follows the package comment refuses a sound export")
	}
	for i := range len(sound) {
		forged := sound[:i] + string(sound[i]^1) + sound[i+1:]
		_, _, err := VerifyStream(strings.NewReader(forged), Head{})
		if ok := oracle(forged); ok || err == nil {
			t.Fatalf("octet %d changed: the oracle says %v, VerifyStream %v", i, ok, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range chain(f, 2) {
		f.Add(e.Encode())
	}
	f.Add([]byte(`{"seq":1,"time":"2026-03-02T08:00:00Z","actor":{},"kind":"a","body":{}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := Decode(line)
		if err != nil {
			return
		}
		again, err := Decode(e.Encode())
		if err != nil || !bytes.Equal(again.Encode(), e.Encode()) {
			t.Fatalf("%s decodes to %s, then to %s, %v", line, e.Encode(), again.Encode(), err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, line); err != nil || !bytes.Equal(compact.Bytes(), e.Encode()) {
			t.Fatalf("%s passes for %s", line, e.Encode())
		}
		sealed, err := Seal(Head{Seq: e.Seq - 1, Hash: e.Prev}, e)
		if err != nil && !e.Time.IsZero() {
			t.Fatalf("what Decode accepts, Seal refuses: %v", err)
		}
		if sound := Verify(Head{Seq: e.Seq - 1, Hash: e.Prev}, e) == nil; sound != (sealed.Hash == e.Hash) && err == nil {
			t.Fatalf("Verify says %v, Seal gives %s for %s", sound, sealed.Hash, line)
		}
	})
}

// Fuzzing VerifyStream holds it against the oracle, on exports in which fuzzing may also change the entries and have
// them sealed anew, since it would not find a SHA-256 by itself.
func FuzzVerifyStream(f *testing.F) {
	sound := export(chain(f, 3)...)
	f.Add(sound, false)
	f.Add(sound, true)
	f.Add("{\n"+sound[1:], false)
	f.Fuzz(func(t *testing.T, text string, again bool) {
		if again {
			text = sealLines(text)
		}
		head, n, err := VerifyStream(strings.NewReader(text), Head{})
		if uint64(n) != head.Seq || (n == 0) != (head == Head{}) {
			t.Fatalf("%d entries, but the head is %s", n, head)
		}
		if err != nil {
			bad, ok := errors.AsType[*BadEntryError](err)
			if !ok || bad.Seq == 0 || bad.Line == 0 || bad.Reason == "" {
				t.Fatalf("got %#v; want to know which entry, where and why", err)
			}
			return
		}
		if _, _, err := VerifyStream(strings.NewReader(text), head); err != nil {
			t.Fatalf("it does not run through its own head: %v", err)
		}
		var compact strings.Builder
		dec := json.NewDecoder(strings.NewReader(text))
		for dec.More() {
			var raw json.RawMessage
			var line bytes.Buffer
			if dec.Decode(&raw) != nil || json.Compact(&line, raw) != nil {
				t.Fatalf("accepted, but not JSON: %q", text)
			}
			compact.WriteString(line.String() + "\n")
		}
		if !oracle(compact.String()) {
			t.Fatalf("the oracle refuses %q", text)
		}
	})
}

// sealLines seals every line of an export that can be read, one upon the other.
func sealLines(text string) string {
	var head Head
	var b strings.Builder
	for line := range strings.Lines(text) {
		if e, err := Decode([]byte(line)); err == nil {
			if e, err := Seal(head, e); err == nil {
				head = e.Head()
				line = string(e.Encode()) + "\n"
			}
		}
		b.WriteString(line)
	}
	return b.String()
}
