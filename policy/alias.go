package policy

import (
	"slices"
	"time"
)

// Alias is where the aliases of an allowed name lead: to which owners beside its own. It is learnt from answers, and no rule.
type Alias struct {
	Name   Name         `json:"name"`
	Owners []AliasOwner `json:"owners,omitempty"` // oldest first
}

// AliasOwner is one whom a name leads to, or led to.
type AliasOwner struct {
	Owner string    `json:"owner"`         // registrable domain
	Since time.Time `json:"since"`         // the day
	New   bool      `json:"new,omitempty"` // it came later than the name was first seen, and nobody has said that this is right
}

// News are the owners that nobody has said are right.
func (a *Alias) News() (news []AliasOwner) {
	for _, o := range a.Owners {
		if o.New {
			news = append(news, o)
		}
	}
	return news
}

// Led is something learnt of a name: that it leads to owners, or is not remembered any more.
type Led struct {
	Name      Name
	Owners    []string
	At        time.Time
	First     bool // the name was not known before, so that no owner of its is news
	Forgotten bool
}

// MaxAliasOwners is how many owners of a name are kept, the first ones: those who spread one site over several networks have a handful, and
// whoever answers must not choose how often it is told of.
const MaxAliasOwners = 16

// Learn keeps what was learnt of where names lead. It changes no rule and is not journalled.
func (l *Live) Learn(all []Led) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.Update(func(tx Tx) error {
		for _, led := range all {
			if err := led.keep(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Led) keep(tx Tx) error {
	if l.Forgotten {
		return tx.Delete(TableAliases, l.Name.String())
	}
	a := Alias{Name: l.Name}
	if _, err := tx.Get(TableAliases, l.Name.String(), &a); err != nil {
		return err
	}
	for _, owner := range l.Owners {
		if !slices.ContainsFunc(a.Owners, func(o AliasOwner) bool { return o.Owner == owner }) {
			a.Owners = append(a.Owners, AliasOwner{owner, l.At.UTC().Truncate(24 * time.Hour), !l.First}) // the day is enough, and says less
		}
	}
	a.Owners = a.Owners[:min(len(a.Owners), MaxAliasOwners)]
	return tx.Put(TableAliases, l.Name.String(), &a)
}

// Aliases are where the aliases of all names lead that are remembered, by name.
func (l *Live) Aliases() (all []Alias, err error) {
	err = l.store.View(func(tx Tx) error {
		return each(tx, TableAliases, func(a *Alias) bool { all = append(all, *a); return true })
	})
	return all, err
}

// AcceptAliases says that it is right where some names lead.
type AcceptAliases struct {
	Names []Name `json:"names"`
}

// Kind names the change in the journal.
func (AcceptAliases) Kind() string { return "alias.accept" }

// AliasesAccepted are the names as the change leaves them.
type AliasesAccepted struct {
	Aliases []Alias `json:"aliases"`
}

// Apply makes the change; its body is an AliasesAccepted.
func (c AcceptAliases) Apply(e *Edit) (Made, error) {
	var out AliasesAccepted
	for _, name := range c.Names {
		var a Alias
		ok, err := e.tx.Get(TableAliases, name.String(), &a)
		if err != nil {
			return Made{}, err
		}
		if !ok || len(a.News()) == 0 {
			return Made{}, notFound("see `usciere alias list`", "%s leads to nobody new", name)
		}
		for i := range a.Owners {
			a.Owners[i].New = false
		}
		if err := e.tx.Put(TableAliases, name.String(), &a); err != nil {
			return Made{}, err
		}
		out.Aliases = append(out.Aliases, a)
	}
	if len(out.Aliases) == 0 {
		return Made{}, invalid("give at least one, as `usciere alias list` has them", "which names?")
	}
	return Made{Body: out}, nil
}
