package policy

import (
	"encoding/binary"
	"time"
)

// Table is one table of the store.
type Table string

// The tables and their keys. Numbers are eight octets, big-endian, so that they sort.
const (
	TableOffices   Table = "offices"   // office id → Office
	TableSeats     Table = "seats"     // seat id → Seat
	TableHosts     Table = "hosts"     // address as text → Host
	TableTokens    Table = "tokens"    // token id → Token
	TableServices  Table = "services"  // service id → Service
	TableRequests  Table = "requests"  // number → Request
	TableProtocols Table = "protocols" // protocol number as text → RequestID
	TableGrants    Table = "grants"    // number → Grant, revoked ones included
	TableHoldings  Table = "holdings"  // subject, 0x00, grant number → nothing; grants in force only
	TableLetters   Table = "letters"   // number → Letter
	TablePapers    Table = "papers"    // number of a letter → Paper
	TableOutgoing  Table = "outgoing"  // outgoing protocol number as text → LetterID
	TableOutbox    Table = "outbox"    // number of a letter → Mailing
	TableAliases   Table = "aliases"   // name as text → Alias; learnt, no rule
	TableAsked     Table = "asked"     // day/office id → Asked; learnt, no rule
)

// Tables are all tables.
var Tables = []Table{TableOffices, TableSeats, TableHosts, TableServices, TableRequests, TableProtocols, TableGrants, TableHoldings,
	TableLetters, TablePapers, TableOutgoing, TableOutbox, TableTokens, TableAliases, TableAsked}

// Store keeps the records and the journal.
type Store interface {
	// View reads one consistent state.
	View(func(Tx) error) error
	// Update makes one change: all of it is on disk when it returns nil, none of it when it returns an error.
	Update(func(Tx) error) error
}

// Reader is the reading half of a transaction: the records of one moment, whoever keeps them. Its errors are faults of the
// store (disk, damage), never refusals.
type Reader interface {
	// Get reads a record; false when there is none.
	Get(t Table, key string, into any) (bool, error)
	// Each calls fn with every record whose key has the prefix, in order of keys, until fn returns an error.
	Each(t Table, prefix string, fn func(key string, decode func(into any) error) error) error
	// Scan reads all records of a table, in no order: each reader is called from a goroutine of
	// its own with a share of them.
	Scan(t Table, readers []RecordReader) error
	// Version is the sequence number of the newest journal entry.
	Version() uint64
	// Head is the end of the journal as text, SEQ:HASH.
	Head() string
}

// Tx is one transaction of a Store. Its errors are faults of the store, as a Reader's are.
type Tx interface {
	Reader
	Put(t Table, key string, record any) error
	Delete(t Table, key string) error
	// Next is the next free number of a table, from 1; none is given twice.
	Next(t Table) (uint64, error)
	// Journal appends an entry, whose sequence number is Version()+1.
	Journal(Entry) error
}

// RecordReader is given a record as its JSON text, which is valid until it returns; decode reads it into a pointer. What it
// returns ends the reading.
type RecordReader func(text []byte, decode func(into any) error) error

// Entry is what the journal keeps of a change: who, when, from where, what, by which request.
type Entry struct {
	Time    time.Time
	Actor   Actor
	Kind    string
	Office  string
	Request string // label of the request it rests on
	Body    any    // the records as the change left them
}

// Actor is who made a change, as the socket's peer credentials say (unix(7), SO_PEERCRED).
type Actor struct {
	UID  uint32
	Name string
	PID  int32
	Via  string // "socket", or "system" for what the daemon does by itself
}

func numberKey(n uint64) string {
	return string(binary.BigEndian.AppendUint64(nil, n))
}

// subjectPrefix begins the keys of a subject's grants in TableHoldings.
func subjectPrefix(s Subject) string { return s.key() + "\x00" }
