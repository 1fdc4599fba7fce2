package policy

import "time"

// Edit is a change in the making: the rules as they are with what was changed so far, and the transaction that keeps it. Its
// methods keep the records and the rules in step.
type Edit struct {
	*Snapshot
	tx  Tx
	now time.Time
	who Actor
}

// Made is what a change left behind: for the journal, and Body for who asked for it too.
type Made struct {
	Office  string // whose change it is, if it is one's
	Request string // label of the request it rests on
	Body    any    // the records as the change left them
}

// Now is the time of the change.
func (e *Edit) Now() time.Time { return e.now }

// Today is the day by the town's clock.
func (e *Edit) Today() Moment { return DayOf(e.now, e.town.Zone) }

// Actor is who makes the change.
func (e *Edit) Actor() Actor { return e.who }

// Records are the records as they are with what was changed so far.
func (e *Edit) Records() Records { return Records{e.tx} }

// PutRequest keeps a request; one without a number gets the next.
func (e *Edit) PutRequest(q Request) (*Request, error) {
	if q.ID == 0 {
		n, err := e.tx.Next(TableRequests)
		if err != nil {
			return nil, err
		}
		q.ID = RequestID(n)
	}
	q.Version = e.version
	if q.Protocol != "" {
		if err := e.tx.Put(TableProtocols, q.Protocol, q.ID); err != nil {
			return nil, err
		}
	}
	return &q, e.tx.Put(TableRequests, numberKey(uint64(q.ID)), &q)
}

// PutLetter keeps a letter; one without a number gets the next.
func (e *Edit) PutLetter(l Letter) (*Letter, error) {
	if l.ID == 0 {
		n, err := e.tx.Next(TableLetters)
		if err != nil {
			return nil, err
		}
		l.ID = LetterID(n)
	}
	l.Version = e.version
	if l.Issue != nil && l.Issue.Protocol != "" {
		if err := e.tx.Put(TableOutgoing, l.Issue.Protocol, l.ID); err != nil {
			return nil, err
		}
	}
	return &l, e.tx.Put(TableLetters, numberKey(uint64(l.ID)), &l)
}

// PutPaper keeps a letter as it was issued.
func (e *Edit) PutPaper(id LetterID, p Paper) error {
	return e.tx.Put(TablePapers, numberKey(uint64(id)), &p)
}

// PutMailing keeps a letter that is to be sent.
func (e *Edit) PutMailing(m Mailing) error {
	return e.tx.Put(TableOutbox, numberKey(uint64(m.Letter)), &m)
}

// DropMailing takes a letter out of those that are to be sent.
func (e *Edit) DropMailing(id LetterID) error {
	return e.tx.Delete(TableOutbox, numberKey(uint64(id)))
}

// Head is the end of the journal before this change, SEQ:HASH.
func (e *Edit) Head() string { return e.tx.Head() }
