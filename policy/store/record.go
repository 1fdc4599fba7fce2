package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"

	"go.etcd.io/bbolt"

	"usciere/policy"
)

// A record is kept as a CRC-32C (four octets, big-endian) and its JSON. The sum is taken over the name of the table, the
// key and the JSON, each of the first two followed by a zero octet, so that a record in a wrong place is found out too.
const sumLength = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var separator = []byte{0}

// table is a table in a transaction.
type table struct {
	*bbolt.Bucket
	name policy.Table
	sum  uint32 // of the name and its zero octet
}

// newTable prepares a table. Where keys are numbers that only grow, bbolt's pages are filled: half-filled ones, its way for
// keys in any order, would stay so, and twice as many would have to be read at start.
func newTable(name policy.Table, b *bbolt.Bucket) *table {
	switch name {
	case journalTable, policy.TableGrants, policy.TableRequests:
		b.FillPercent = 0.95
	}
	return &table{b, name, crc32.Checksum(append([]byte(name), 0), castagnoli)}
}

func (t *table) checksum(key, text []byte) uint32 {
	sum := crc32.Update(t.sum, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, separator)
	return crc32.Update(sum, castagnoli, text)
}

// encode returns the stored form of a record; nil becomes the JSON null.
func (t *table) encode(key string, record any) ([]byte, error) {
	text, err := marshal(record)
	if err != nil {
		return nil, err
	}
	value := binary.BigEndian.AppendUint32(make([]byte, 0, sumLength+len(text)), t.checksum([]byte(key), text))
	return append(value, text...), nil
}

// marshal is json.Marshal without the escapes for HTML, which is made elsewhere.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// text is the JSON of a stored record, if its checksum holds.
func (t *table) text(key, value []byte) ([]byte, error) {
	switch {
	case len(value) <= sumLength:
		return nil, t.damaged(key, errors.New("it is cut"))
	case binary.BigEndian.Uint32(value) != t.checksum(key, value[sumLength:]):
		return nil, t.damaged(key, errors.New("its checksum is wrong"))
	}
	return value[sumLength:], nil
}

// decode reads a stored record into a pointer. Nothing of value is referred to afterwards.
func (t *table) decode(key, value []byte, into any) error {
	text, err := t.text(key, value)
	if err != nil {
		return err
	}
	return t.parse(key, text, into)
}

// parse reads the text of a record into a pointer.
func (t *table) parse(key, text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return t.damaged(key, err)
	}
	return nil
}

func (t *table) damaged(key []byte, err error) error {
	return damaged("record %s of table %s: %w", showKey(string(key)), t.name, err)
}

// showKey is a key for people: a number that ends it is written in digits, its separator as a space.
func showKey(key string) string {
	text, number := "", key
	if i := strings.LastIndexByte(key[:max(0, len(key)-8)], 0); i >= 0 && i == len(key)-9 {
		text, number = key[:i]+" ", key[i+1:]
	}
	if len(number) != 8 || number[0] != 0 {
		return strconv.QuoteToGraphic(key)
	}
	return strconv.QuoteToGraphic(text + strconv.FormatUint(binary.BigEndian.Uint64([]byte(number)), 10))
}
