package ipa

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"usciere/policy"
	"usciere/policy/town"
)

// State is what becomes of a unit.
type State string

// The states of a unit.
const (
	New       State = "new"
	Changed   State = "changed"
	Unchanged State = "unchanged"
	Skipped   State = "skipped"
)

// Row says what becomes of one unit.
type Row struct {
	State   State  `json:"state"`
	Office  string `json:"office,omitempty"` // id
	Code    string `json:"code,omitempty"`
	Name    string `json:"name,omitempty"`
	Mailbox string `json:"mailbox,omitempty"`
	Why     string `json:"why,omitempty"` // it is skipped, or what changes
}

// Merge makes the units offices of the document: those known by their code in the index, or else by their name, are brought
// up to date, the others are added. Offices that are no unit stay as they are.
func Merge(doc *town.Document, units []Unit) []Row {
	if doc.Offices == nil {
		doc.Offices = map[town.ID]town.Office{}
	}
	known, named := map[string]town.ID{}, map[string]town.ID{}
	for _, id := range slices.Sorted(maps.Keys(doc.Offices)) {
		o := doc.Offices[id]
		if o.IPA != "" {
			known[strings.ToUpper(o.IPA)] = id
		} else {
			named[strings.ToLower(o.Name)] = id
		}
	}
	seen := map[string]int{}
	var out []Row
	for _, u := range units {
		row := Row{State: Skipped, Code: u.Code, Name: u.Name, Mailbox: u.Mailbox}
		key := strings.ToUpper(u.Code)
		switch first, twice := seen[key]; {
		case u.Code == "":
			row.Why = fmt.Sprintf("line %d has no code (Codice_uni_uo)", u.Line)
		case u.Name == "":
			row.Why = fmt.Sprintf("line %d has no name (Descrizione_uo)", u.Line)
		case twice:
			row.Why = fmt.Sprintf("line %d has the code of line %d again", u.Line, first)
		case len(u.Name) > 200 || len(u.Code) > 60 || strings.ContainsFunc(u.Name+u.Code, func(r rune) bool { return !unicode.IsPrint(r) }):
			row.Why = fmt.Sprintf("line %d has a name or code that is too long or cannot be printed", u.Line)
		default:
			seen[key] = u.Line
			id, ok := known[key]
			if !ok {
				id, ok = named[strings.ToLower(u.Name)]
				delete(named, strings.ToLower(u.Name)) // one office is one unit
			}
			row = merge(doc, u, id, ok)
		}
		out = append(out, row)
	}
	return out
}

func merge(doc *town.Document, u Unit, id town.ID, exists bool) Row {
	if !policy.IsMailbox(u.Mailbox) {
		u.Mailbox = ""
	}
	if !exists {
		id = freeID(doc, u.Name)
	}
	taken := ofSeat(doc, id, &u)
	if !exists {
		doc.Offices[id] = town.Office{Name: u.Name, Mailbox: u.Mailbox, IPA: u.Code}
		why := taken
		if u.Mailbox == "" && why == "" {
			why = "no mailbox of its own in the index"
		}
		return Row{New, string(id), u.Code, u.Name, u.Mailbox, why}
	}
	old := doc.Offices[id]
	o := old
	o.Name, o.IPA, o.Mailbox = u.Name, u.Code, cmp.Or(u.Mailbox, old.Mailbox)
	doc.Offices[id] = o
	var why []string
	for _, f := range [][3]string{{"name", old.Name, o.Name}, {"mailbox", old.Mailbox, o.Mailbox}, {"ipa", old.IPA, o.IPA}} {
		if f[1] != f[2] {
			why = append(why, f[0]+" was "+cmp.Or(f[1], "none"))
		}
	}
	state := Changed
	if len(why) == 0 {
		state = Unchanged
	}
	if taken != "" {
		return Row{state, string(id), u.Code, o.Name, o.Mailbox, strings.TrimPrefix(strings.Join(why, ", ")+"; "+taken, "; ")}
	}
	return Row{state, string(id), u.Code, o.Name, o.Mailbox, strings.Join(why, ", ")}
}

// ofSeat takes from a unit a mailbox that is a seat's, or that is named after one who holds a seat of the office, and says so.
func ofSeat(doc *town.Document, id town.ID, u *Unit) string {
	o := policy.Office{ID: string(id), Name: u.Name, Mailbox: u.Mailbox}
	for _, seat := range slices.Sorted(maps.Keys(doc.Seats)) {
		s := doc.Seats[seat]
		named := slices.ContainsFunc(s.Holders, func(h town.Holder) bool { return s.Office == string(id) && h.Until == "" && o.MailboxOf(h.Name) })
		if u.Mailbox != "" && (named || strings.EqualFold(u.Mailbox, s.Mailbox)) {
			u.Mailbox = ""
			return fmt.Sprintf("%s in the index is of the seat %s", o.Mailbox, seat)
		}
	}
	return ""
}

// maxID leaves room for a number behind it.
const maxID = 56

// freeID makes an id of a name: lower case, hyphens, without accents, and none that is taken.
func freeID(doc *town.Document, name string) town.ID {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // an accent
		default:
			b.WriteByte(' ')
		}
	}
	id := strings.Join(strings.Fields(b.String()), "-")
	if len(id) > maxID {
		id = strings.TrimRight(id[:maxID], "-")
	}
	id = cmp.Or(id, "ufficio")
	free := town.ID(id)
	for n := 2; ; n++ {
		if _, taken := doc.Offices[free]; !taken {
			return free
		}
		free = town.ID(fmt.Sprintf("%s-%d", id, n))
	}
}
