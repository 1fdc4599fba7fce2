package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Hash is the SHA-256 of one entry (see the package comment for what it covers). Its text form is 64 lower-case
// hexadecimal digits. The zero Hash stands before the first entry.
type Hash [32]byte

// String returns the hash as 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns the text form; it never fails.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads the text form.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("a hash has %d hexadecimal digits, this one has %d", hex.EncodedLen(len(h)), len(text))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("a hash is written in hexadecimal digits: %w", err)
	}
	return nil
}

// Head is the end of a journal, or of the first part of one: the number and hash of its last entry. Whoever has noted
// a head can tell later whether anything up to it was changed or cut. The zero Head is that of the empty journal.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash Hash   `json:"hash"`
}

// String returns "SEQ:HEX", as log lines show it and the command line takes it.
func (h Head) String() string { return strconv.FormatUint(h.Seq, 10) + ":" + h.Hash.String() }

// ParseHead reads the form that Head.String writes.
func ParseHead(text string) (Head, error) {
	seq, hash, found := strings.Cut(text, ":")
	if !found {
		return Head{}, fmt.Errorf("journal head %q: write it as SEQ:HASH, as the log line does", text)
	}
	var h Head
	var err error
	if h.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return Head{}, fmt.Errorf("journal head %q: the part before the colon must be a sequence number: %w", text, err)
	}
	if err := h.Hash.UnmarshalText([]byte(hash)); err != nil {
		return Head{}, fmt.Errorf("journal head %q: %w", text, err)
	}
	if (h.Seq == 0) != (h.Hash == Hash{}) {
		return Head{}, fmt.Errorf("journal head %q: %w", text, errHalfEmpty)
	}
	return h, nil
}

var errHalfEmpty = errors.New("sequence number 0 and the hash of zeros go together, and stand for the empty journal")
