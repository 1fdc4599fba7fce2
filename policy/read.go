package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Records reads grants and requests as they are written.
type Records struct{ tx Reader }

// RecordsOf reads the records that a Reader has.
func RecordsOf(r Reader) Records { return Records{r} }

// Version is the version of the rules that the records are of.
func (r Records) Version() uint64 { return r.tx.Version() }

// Head is the end of the journal that the records are of, SEQ:HASH.
func (r Records) Head() string { return r.tx.Head() }

// Grant is the grant of that number, revoked or not.
func (r Records) Grant(id GrantID) (*Grant, error) {
	g := new(Grant)
	ok, err := r.tx.Get(TableGrants, numberKey(uint64(id)), g)
	if err == nil && !ok {
		err = notFound("see `usciere grant list`", "there is no grant %s", id)
	}
	return g, err
}

// Request is the request of that number.
func (r Records) Request(id RequestID) (*Request, error) {
	q := new(Request)
	ok, err := r.tx.Get(TableRequests, numberKey(uint64(id)), q)
	if err == nil && !ok {
		err = notFound("", "there is no request %s", id)
	}
	return q, err
}

// RequestOf is the request with that protocol number.
func (r Records) RequestOf(protocol string) (*Request, bool, error) {
	var id RequestID
	ok, err := r.tx.Get(TableProtocols, protocol, &id)
	if err != nil || !ok {
		return nil, false, err
	}
	q, err := r.Request(id)
	return q, err == nil, err
}

// EachRequest calls fn with all requests ever made, oldest first, until fn says false.
func (r Records) EachRequest(fn func(*Request) bool) error { return each(r.tx, TableRequests, fn) }

// Office is the office of that id; false when there is none.
func (r Records) Office(id string) (*Office, bool, error) {
	o := new(Office)
	ok, err := r.tx.Get(TableOffices, id, o)
	return o, ok, err
}

// Letter is the letter of that number.
func (r Records) Letter(id LetterID) (*Letter, error) {
	l := new(Letter)
	ok, err := r.tx.Get(TableLetters, numberKey(uint64(id)), l)
	if err == nil && !ok {
		err = notFound("see `usciere letter list`", "there is no letter %s", id)
	}
	return l, err
}

// Paper is a letter as it was issued; false while it was not.
func (r Records) Paper(id LetterID) (p Paper, issued bool, err error) {
	issued, err = r.tx.Get(TablePapers, numberKey(uint64(id)), &p)
	return p, issued, err
}

// LetterOf is the letter with that outgoing protocol number.
func (r Records) LetterOf(protocol string) (id LetterID, ok bool, err error) {
	ok, err = r.tx.Get(TableOutgoing, protocol, &id)
	return id, ok, err
}

// EachLetter calls fn with all letters ever written, oldest first, until fn says false.
func (r Records) EachLetter(fn func(*Letter) bool) error { return each(r.tx, TableLetters, fn) }

// Mailing is how the sending of a letter is going; false when it is not to be sent.
func (r Records) Mailing(id LetterID) (m Mailing, ok bool, err error) {
	ok, err = r.tx.Get(TableOutbox, numberKey(uint64(id)), &m)
	return m, ok, err
}

// EachMailing calls fn with all letters that are to be sent, oldest first, until fn says false.
func (r Records) EachMailing(fn func(*Mailing) bool) error { return each(r.tx, TableOutbox, fn) }

// errStop ends a walk early.
var errStop = errors.New("stop")

// EachGrantOf calls fn with the grants in force of one subject, oldest first, until fn says false.
func (r Records) EachGrantOf(s Subject, fn func(*Grant) bool) error {
	prefix := subjectPrefix(s)
	err := r.tx.Each(TableHoldings, prefix, func(key string, _ func(any) error) error {
		g, err := r.Grant(GrantID(binary.BigEndian.Uint64([]byte(key[len(prefix):]))))
		if err == nil && !fn(g) {
			return errStop
		}
		return err
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// EachGrant calls fn with all grants ever made, oldest first, until fn says false.
func (r Records) EachGrant(fn func(*Grant) bool) error { return each(r.tx, TableGrants, fn) }

// each calls fn with the records of a table, in order of keys, until fn says false.
func each[R any](tx Reader, t Table, fn func(*R) bool) error {
	err := eachRecord(tx, t, func(r *R) error {
		if !fn(r) {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

func eachRecord[R any](tx Reader, t Table, do func(*R) error) error {
	return tx.Each(t, "", func(key string, decode func(any) error) error {
		r := new(R)
		if err := decode(r); err != nil {
			return fmt.Errorf("record %q of table %s: %w", key, t, err)
		}
		return do(r)
	})
}
