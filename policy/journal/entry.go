// Package journal is the append-only, hash-chained record of every change of the rules (R6): who, when, from where,
// what, and by which request. It is pure: it seals, encodes and verifies entries, and leaves keeping them to others.
//
// # The format, for whoever writes a verifier
//
// An export is a text of JSON objects in UTF-8, one entry a line, every line ended by a newline. An entry has these
// members, in this order; office and request are left out when empty:
//
//	{"seq":1,"time":"2026-03-02T08:00:00.5Z","actor":{"uid":0,"name":"root","pid":812,"via":"socket"},
//	 "kind":"grant.add","office":"anagrafe","request":"1234/2026","body":{…},"prev":"<64 hex>","hash":"<64 hex>"}
//
// The first entry has seq 1 and a prev of 64 zeros; every other one has the seq of the entry before it plus 1, and
// as prev the hash of the entry before it. The hash is the SHA-256 of three lines, the last of them without a newline:
//
//	usciere journal v1
//	<prev, 64 lower-case hexadecimal digits>
//	<the entry without its members prev and hash>
//
// where the entry is written as in the export, without the white space between its tokens. Since prev and hash stand
// last and have a fixed length, that is the line without white space, less its last 149 octets, plus "}".
// White space between tokens is therefore free: an entry indented over several lines verifies as well, as long as
// the order of the members and the text of every number and string were kept.
package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// MaxEntry is the most octets that an entry may take as one line (or, in an indented export, as several).
const MaxEntry = 16 << 20

// domain keeps the hashes of this format apart from all others; a change of the format changes its number.
const domain = "usciere journal v1\n"

// The ways by which a change comes in, as Actor.Via names them.
const (
	ViaSocket  = "socket"  // the admin socket; UID and PID are the peer's, from the kernel
	ViaSystem  = "system"  // the daemon itself, as at first start
	ViaRestore = "restore" // a backup was put back
	ViaPortal  = "portal"  // the pages of the office staff: the change says for which office
)

// Actor is who made a change and from where.
type Actor struct {
	UID  uint32 `json:"uid"`
	Name string `json:"name"` // login name; empty when the UID has none
	PID  int32  `json:"pid"`
	Via  string `json:"via"`
}

// Entry is the record of one change. Seal makes it from its first seven fields.
type Entry struct {
	Seq     uint64          `json:"seq"` // from 1, without gaps
	Time    time.Time       `json:"time"`
	Actor   Actor           `json:"actor"`
	Kind    string          `json:"kind"` // what was done, such as "grant.add"
	Office  string          `json:"office,omitempty"`
	Request string          `json:"request,omitempty"` // the request it rests on (R5)
	Body    json.RawMessage `json:"body"`              // the change itself, with everything resolved; kept octet for octet
	Prev    Hash            `json:"prev"`
	Hash    Hash            `json:"hash"`
}

// tail is the length of `,"prev":"<64 hex>","hash":"<64 hex>"}`, with which every compact entry ends.
const tail = len(`,"prev":"","hash":""}`) + 2*2*sha256.Size

// Head returns the head of the journal that ends with e.
func (e Entry) Head() Head { return Head{Seq: e.Seq, Hash: e.Hash} }

// Seal chains e to the journal that ends at prev: it fills in Seq, Prev and Hash, puts Time in UTC and compacts Body.
// It refuses an entry without time or kind, one whose body is not valid JSON, one with invalid UTF-8 anywhere, and one
// larger than MaxEntry: whatever it seals, Decode reads and Verify accepts.
func Seal(prev Head, e Entry) (Entry, error) {
	e.Seq, e.Prev = prev.Seq+1, prev.Hash
	e.Time = e.Time.UTC().Round(0)
	if e.Time.IsZero() {
		return Entry{}, errors.New("sealing a journal entry: it has no time")
	}
	// JSON would hold U+FFFD in their place, and the record something else than what was done.
	for _, s := range []string{e.Actor.Name, e.Actor.Via, e.Kind, e.Office, e.Request, string(e.Body)} {
		if !utf8.ValidString(s) {
			return Entry{}, errors.New("sealing a journal entry: it holds invalid UTF-8")
		}
	}
	var body bytes.Buffer
	if err := json.Compact(&body, e.Body); err != nil {
		return Entry{}, fmt.Errorf("sealing a journal entry: its body is not valid JSON: %w", err)
	}
	e.Body = body.Bytes()
	line, err := e.encode()
	if err != nil {
		return Entry{}, fmt.Errorf("sealing a journal entry: %w", err)
	}
	e.Hash = sum(e.Prev, line)
	if _, err := Decode(e.Encode()); err != nil {
		return Entry{}, fmt.Errorf("sealing a journal entry: %w", err)
	}
	return e, nil
}

// sum computes the hash of an entry from its compact line, in which prev and hash hold anything.
func sum(prev Hash, line []byte) Hash {
	h := sha256.New()
	io.WriteString(h, domain)
	io.WriteString(h, prev.String())
	io.WriteString(h, "\n")
	h.Write(line[:len(line)-tail])
	io.WriteString(h, "}")
	return Hash(h.Sum(nil))
}

// Encode returns the entry as compact JSON on one line, without a newline. It is for entries that Seal or Decode
// returned; it returns nil for one that has no JSON form.
func (e Entry) Encode() []byte {
	line, err := e.encode()
	if err != nil {
		return nil
	}
	return line
}

func (e Entry) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it would rewrite <, >, & and U+2028 within Body
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("writing a journal entry as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode reads one entry as Encode writes it, with any white space between its tokens. It is strict: every entry has
// one compact form only, so unknown, missing, repeated, reordered or otherwise written members are errors, as is
// anything after the entry. It does not verify the hash: Verify does.
func Decode(line []byte) (Entry, error) {
	if len(line) > MaxEntry {
		return Entry{}, fmt.Errorf("journal entry of %d octets: the limit is %d", len(line), MaxEntry)
	}
	if !utf8.Valid(line) {
		return Entry{}, errors.New("journal entry: invalid UTF-8")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, line); err != nil {
		return Entry{}, fmt.Errorf("journal entry: not valid JSON: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(compact.Bytes()))
	dec.DisallowUnknownFields()
	var e Entry
	if err := dec.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("journal entry: %w", err)
	}
	switch {
	case e.Seq == 0:
		return Entry{}, errors.New("journal entry: sequence number 0: the first entry has 1")
	case e.Kind == "":
		return Entry{}, errors.New("journal entry: it has no kind")
	case e.Time.Location() != time.UTC:
		return Entry{}, errors.New("journal entry: its time is not in UTC")
	}
	if again, err := e.encode(); err != nil || !bytes.Equal(again, compact.Bytes()) {
		return Entry{}, errors.New("journal entry: members missing, repeated, in another order or written in another way " +
			"than usciere writes them; use the export as it was made")
	}
	return e, nil
}
