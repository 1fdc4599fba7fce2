//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// offline runs a command that needs no daemon.
func offline(t testing.TB, args ...string) result {
	t.Helper()
	return run(t, exec.Command(program, args...))
}

func TestABackupWhileChangesRunIsWholeAndCanBeRestored(t *testing.T) {
	d := demo(t)
	s := &stream{acked: map[string]bool{}}
	s.begin(d)
	eventually(t, "changes are made", func() bool { return d.status().Journal.Seq > 40 })
	dir := t.TempDir()
	file := filepath.Join(dir, "copy.db")
	before := d.status().Journal.Seq
	d.must("backup", file)
	after := d.status().Journal.Seq
	s.end()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v, %v; want mode 0600", info.Mode(), err)
	}
	if r := d.usciere("backup", file); r.code != 1 || !strings.Contains(r.err, "is there already") {
		t.Errorf("a second backup to the same file: %s", r)
	}
	d.must("backup", "--force", file)
	d.must("allow", "www.example.com", "--office", "cultura", "--protocol", "95/2026", "--reason", "dopo la copia")

	if r := offline(t, "restore", file, "--state", d.state); r.code != 1 || !strings.Contains(r.err, "in use") {
		t.Errorf("restore under a running daemon: %s", r)
	}
	fresh := filepath.Join(dir, "fresh")
	r := offline(t, "restore", file, "--state", fresh)
	if r.code != 0 || !strings.Contains(r.out, "its journal, head ") {
		t.Fatalf("restore to a new folder: %s", r)
	}
	other := serve(t, setup{args: []string{"--demo"}, state: fresh})
	other.verify()
	if seq := other.status().Journal.Seq; seq < before || before > after {
		t.Errorf("the copy ends at entry %d; when it began the journal was at %d", seq, before)
	}
	if r := other.dig("127.10.1.5", "www.inps.it"); r.first() != "192.0.2.10" {
		t.Errorf("the restored town does not have its grants: %s", r.text)
	}

	d.stop()
	r = offline(t, "restore", file, "--state", d.state)
	if r.code != 0 || !strings.Contains(r.out, "kept") {
		t.Fatalf("restore over a store: %s", r)
	}
	d = d.again("--demo")
	d.verify()
	if r := d.dig("127.10.5.5", "www.example.com"); r.first() == "203.0.113.11" {
		t.Errorf("the grant after the copy is still there: %s", r.text)
	}
	if out := d.must("journal", "--limit", "3"); !strings.Contains(out, "store.restore") {
		t.Errorf("the journal does not tell of the restore:\n%s", out)
	}
	if kept, err := filepath.Glob(d.state + "/usciere.db.before-restore-*"); err != nil || len(kept) != 1 {
		t.Errorf("kept: %v, %v", kept, err)
	}
}

func TestADamagedBackupIsRefusedAndTheStoreStays(t *testing.T) {
	d := demo(t)
	head := d.head()
	file := filepath.Join(t.TempDir(), "copy.db")
	d.must("backup", file)
	d.stop()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cut":     string(whole[:len(whole)/2]),
		"empty":   "",
		"zeroes":  strings.Repeat("\x00", len(whole)),
		"foreign": strings.Repeat("not a database at all\n", 1000),
	} {
		write(t, file, text)
		if r := offline(t, "restore", file, "--state", d.state); r.code != 1 || !strings.Contains(r.err, "cannot be used, try an older one") {
			t.Errorf("%s: %s", name, r)
		}
	}
	if d = d.again("--demo"); d.head() != head {
		t.Errorf("the journal went from %s to %s", head, d.head())
	}
}

var headPattern = regexp.MustCompile(`\b\d+:[0-9a-f]{64}\b`)

func TestAJournalThatWasTamperedWithDoesNotVerify(t *testing.T) {
	d := demo(t)
	for n := range 5 {
		d.allow("cultura", fmt.Sprintf("%d/2026", 200+n), fmt.Sprintf("n%d.example.org", n))
	}
	logged := headPattern.FindString(d.log.String()) // what the operator noted
	if logged == "" {
		t.Fatalf("the log has no head:\n%s", d.log.String())
	}
	online := d.must("journal", "verify", "--head", logged)
	head := headPattern.FindString(online)
	if head != d.head() {
		t.Errorf("verify says %q; the head is %s", online, d.head())
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "journal.jsonl")
	d.must("journal", "export", file)
	if out := d.must("journal", "export"); func() string { b, _ := os.ReadFile(file); return string(b) }() != out {
		t.Error("the export to a file is not the one to standard output")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	without := func(i int) string { return strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "") }
	for _, tc := range []struct {
		name, text, head string
		says             string // "" when it verifies
	}{
		{"as it is", string(text), "", ""},
		{"as it is, to its head", string(text), head, ""},
		{"as it is, through the head in the log", string(text), logged, ""},
		{"with a protocol number changed", strings.Replace(string(text), "12/2026", "13/2026", 1), "", "changed"},
		{"without its third entry", without(2), "", "entry 3"},
		{"without its last entry", strings.Join(lines[:len(lines)-1], ""), head, fmt.Sprintf("entry %d", len(lines))},
		{"cut within an entry", string(text[:len(text)-20]), "", "cut off"},
		{"with two entries swapped", strings.Join(append(append(append([]string{}, lines[:1]...), lines[2], lines[1]), lines[3:]...), "\n"), "", "entry 2"},
	} {
		write(t, file, tc.text)
		args := []string{"journal", "verify", "--file", file}
		if tc.head != "" {
			args = append(args, "--head", tc.head)
		}
		r := offline(t, args...)
		if tc.says == "" && (r.code != 0 || !strings.Contains(r.out, "sound")) || tc.says != "" && (r.code != 1 || !strings.Contains(r.err, tc.says)) {
			t.Errorf("%s: %s; want %q", tc.name, r, tc.says)
		}
	}
	if r := d.usciere("journal", "verify", "--head", "9999:"+strings.Repeat("a", 64)); r.code != 1 || !strings.Contains(r.err, "cut off") {
		t.Errorf("a head that the journal never reached: %s", r)
	}
	d.stop()
	if r := offline(t, "journal", "verify", "--state", d.state, "--head", head); r.code != 0 || !strings.Contains(r.out, head) {
		t.Errorf("of a store at rest: %s", r)
	}
	if r := offline(t, "check", "--state", d.state); r.code != 0 || !strings.Contains(r.out, head) {
		t.Errorf("check: %s", r)
	}
}

// newerFormat rewrites the identity of the store as a later version of the program would write it: a record is its CRC-32C
// over table, key and text, then its JSON text. Old copies on free pages are rewritten as well.
func newerFormat(t *testing.T, database []byte) []byte {
	t.Helper()
	out := append([]byte(nil), database...)
	found := 0
	for _, at := range regexp.MustCompile(`\{"id":"[A-Z0-9]+","format":[0-9]+,"created":"[^"]+"\}`).FindAllIndex(database, -1) {
		text := regexp.MustCompile(`"format":[0-9]+`).ReplaceAll(database[at[0]:at[1]], []byte(`"format":9`))
		copy(out[at[0]:], text)
		sum := crc32.Checksum(append([]byte("meta\x00store\x00"), text...), crc32.MakeTable(crc32.Castagnoli))
		binary.BigEndian.PutUint32(out[at[0]-4:], sum)
		found++
	}
	if found == 0 {
		t.Fatal("the store does not say which format it has where this test expects it")
	}
	return out
}

func TestS16AStoreThatIsNotAsItWasIsNeverOpenedOnDefaults(t *testing.T) {
	var n tally
	d := demo(t)
	d.stop()
	database := filepath.Join(d.state, "usciere.db")
	whole, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	damage := func(change func([]byte) []byte) []byte { return change(append([]byte(nil), whole...)) }
	for _, tc := range []struct {
		name string
		text []byte // nil: the file vanishes
		says []string
	}{
		{"it vanished", nil, []string{"vanished", "usciere restore"}},
		{"it is empty", []byte{}, []string{"damaged", "usciere restore"}},
		{"it is cut within its records", whole[:12*page], []string{"damaged", "usciere restore"}},
		{"it is cut after its first pages", whole[:2*page], []string{"damaged", "usciere restore"}},
		{"it is all zeroes", make([]byte, len(whole)), []string{"damaged", "usciere restore"}},
		{"its first pages are zeroes", damage(func(b []byte) []byte { clear(b[:2*page]); return b }), []string{"damaged", "usciere restore"}},
		{"one octet of a record changed", damage(func(b []byte) []byte {
			i := strings.LastIndex(string(b), "Ufficio Tributi")
			b[i] ^= 1
			return b
		}), []string{"damaged", "usciere restore"}},
		{"a newer usciere wrote it", newerFormat(t, whole), []string{"newer", "format 9"}},
	} {
		n.run(t, tc.name, func(t *testing.T) {
			if tc.text == nil {
				if err := os.Remove(database); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(database, tc.text, 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, served(t, "--demo", "--state", d.state, "--listen", "127.0.0.1:0"), tc.says...)
			if r := offline(t, "check", "--state", d.state); r.code != 1 {
				t.Errorf("check: %s", r)
			}
			text, err := os.ReadFile(database)
			if tc.text == nil && !os.IsNotExist(err) || tc.text != nil && string(text) != string(tc.text) {
				t.Errorf("the refusal changed the file: %v", err)
			}
		})
	}
	if err := os.WriteFile(database, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	d = d.again("--demo")
	if r := d.dig("127.10.1.5", "www.inps.it"); r.first() != "192.0.2.10" {
		t.Errorf("the right file is back, and yet: %s", r.text)
	}
	none(t, "damaged, missing or newer stores that were opened", n.wrong, n.all)
}
