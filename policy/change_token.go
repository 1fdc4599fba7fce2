package policy

import (
	"cmp"
	"net/netip"
)

// AddToken makes a token for a seat or a host. The secret itself, or the certificate, stays with who makes it: only its hash is told.
type AddToken struct {
	ID      string     `json:"id"`
	Shows   TokenKind  `json:"kind,omitempty"` // Secret if empty
	Hash    Hash       `json:"hash"`
	Seat    string     `json:"seat,omitempty"` // exactly one of Seat and Host
	Host    netip.Addr `json:"host,omitzero"`  // that is entered
	Until   Moment     `json:"until,omitempty"`
	Replace bool       `json:"replace,omitempty"` // one of that id
}

// Kind names the change in the journal.
func (AddToken) Kind() string { return "token.add" }

// Apply makes the change; its body is a *Token.
func (c AddToken) Apply(e *Edit) (Made, error) {
	if err := CheckID("a token", c.ID); err != nil {
		return Made{}, err
	}
	old, exists := e.Token(c.ID)
	if exists && !c.Replace {
		return Made{}, conflict("for a new secret in its place: `usciere token rotate "+c.ID+"`", "token %s is there already, of the %s", c.ID, old.Of())
	}
	t := Token{ID: c.ID, Kind: cmp.Or(c.Shows, Secret), Hash: c.Hash, Seat: c.Seat, Host: c.Host, Until: c.Until}
	if err := e.checkToken(&t); err != nil {
		return Made{}, err
	}
	return e.putToken(t)
}

// checkToken checks what a token is of, for how long, and that its hash is its own.
func (e *Edit) checkToken(t *Token) error {
	if (t.Seat == "") == !t.Host.IsValid() {
		return invalid("give one of --seat and --host", "whose is token %s to be?", t.ID)
	}
	if t.Seat != "" {
		if _, err := e.seatOf(t.Seat); err != nil {
			return err
		}
	} else if _, ok := e.Host(t.Host); !ok {
		return notFound("enter it first with `usciere host add "+t.Host.String()+" --name NAME`", "there is no host %s", t.Host)
	}
	if t.Until != "" {
		if _, err := ParseDay(string(t.Until)); err != nil {
			return err
		}
	}
	if t.Hash == (Hash{}) {
		return invalid("give the SHA-256 of the secret, or of the certificate's public key", "token %s has no hash", t.ID)
	}
	if other, taken := e.shown[t.Hash]; taken && other.ID != t.ID {
		return conflict("use another secret or certificate for each", "it is what the token %s of the %s is known by", other.ID, other.Of())
	}
	return nil
}

// RotateToken puts another secret, or certificate, in the place of the one a token is known by, which ends at once.
type RotateToken struct {
	ID    string    `json:"id"`
	Shows TokenKind `json:"kind,omitempty"` // Secret if empty
	Hash  Hash      `json:"hash"`
}

// Kind names the change in the journal.
func (RotateToken) Kind() string { return "token.rotate" }

// Apply makes the change; its body is a *Token.
func (c RotateToken) Apply(e *Edit) (Made, error) {
	old, err := e.tokenOf(c.ID)
	if err != nil {
		return Made{}, err
	}
	t := *old
	t.Kind = cmp.Or(c.Shows, Secret)
	if t.Hash = c.Hash; t.Hash == old.Hash {
		return Made{}, invalid("give the hash of another one", "token %s is known by it already", c.ID)
	}
	if err := e.checkToken(&t); err != nil {
		return Made{}, err
	}
	return e.putToken(t)
}

// RevokeToken ends a token.
type RevokeToken struct {
	ID string `json:"id"`
}

// Kind names the change in the journal.
func (RevokeToken) Kind() string { return "token.revoke" }

// Apply makes the change; its body is a *Token, as it was.
func (c RevokeToken) Apply(e *Edit) (Made, error) {
	old, err := e.tokenOf(c.ID)
	if err != nil {
		return Made{}, err
	}
	return Made{Office: e.officeOfToken(old), Body: old}, e.deleteToken(old.ID)
}

func (e *Edit) tokenOf(id string) (*Token, error) {
	t, ok := e.Token(id)
	if !ok {
		return nil, notFound("see `usciere token list`", "there is no token %q", shorten(id))
	}
	return t, nil
}

// officeOfToken is the office that a token's machine belongs to now; empty: none.
func (e *Edit) officeOfToken(t *Token) string {
	if c, ok := e.bearerOf(t, t.Host, e.now); ok && c.Office != nil {
		return c.Office.ID
	}
	return ""
}

func (e *Edit) putToken(t Token) (Made, error) {
	t.Version = e.version
	e.setToken(&t)
	return Made{Office: e.officeOfToken(&t), Body: &t}, e.tx.Put(TableTokens, t.ID, &t)
}

func (e *Edit) deleteToken(id string) error {
	e.dropToken(id)
	return e.tx.Delete(TableTokens, id)
}

// endTokens deletes those of a seat or host that is no more.
func (e *Edit) endTokens(ended func(*Token) bool) error {
	for _, t := range e.Tokens() {
		if ended(t) {
			if err := e.deleteToken(t.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
