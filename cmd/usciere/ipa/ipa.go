// Package ipa makes offices of the data set "unità organizzative" of the national index of public bodies (indicepa.gov.it),
// a CSV file with a row for each organizational unit of each body.
package ipa

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"usciere/policy"
)

// MaxOctets is the largest file that is read; that of all bodies of Italy has some 60 MiB.
const MaxOctets = 256 << 20

// Unit is one organizational unit.
type Unit struct {
	Line    int    // in the file
	Body    string // code of the body it belongs to (Codice_IPA)
	Code    string // its own, unique in the index (Codice_uni_uo)
	Name    string
	Mailbox string // the unit's own, empty: none
}

// columns that a file must have; those of the mailboxes are Mail1, Tipo_Mail1 and so on.
var columns = []string{"codice_ipa", "codice_uni_uo", "descrizione_uo", "mail1", "tipo_mail1"}

const mailboxes = 3

// Read reads the file: commas or semicolons, UTF-8 with or without a byte order mark, or Latin-1. Of a body's code, only its
// units; of the empty one, all, which must be of one body.
func Read(r io.Reader, body string) ([]Unit, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxOctets+1))
	if err != nil {
		return nil, fmt.Errorf("read the data set: %w", err)
	}
	if len(data) > MaxOctets {
		return nil, fmt.Errorf("the data set is larger than %d MiB\n  cut out the rows of your own body", MaxOctets>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		data = latin1(data)
	}
	rows := csv.NewReader(bytes.NewReader(data))
	rows.FieldsPerRecord, rows.LazyQuotes, rows.ReuseRecord = -1, true, true
	if head, _, _ := bytes.Cut(data, []byte("\n")); bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")) {
		rows.Comma = ';'
	}
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("the data set has no row of column names: %w", err)
	}
	at, err := columnsOf(head)
	if err != nil {
		return nil, err
	}
	return readUnits(rows, at, body)
}

// latin1 turns ISO 8859-1, whose octets are the first code points, into UTF-8.
func latin1(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(data)/8)
	for _, c := range data {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// columnsOf finds the columns by their names, in lower case.
func columnsOf(head []string) (map[string]int, error) {
	at := map[string]int{}
	for i, name := range head {
		at[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range columns {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("there is no column %s: is this the data set \"unità organizzative\"?\n  its columns are Codice_IPA, Codice_uni_uo, Descrizione_uo, Mail1, Tipo_Mail1, …", name)
		}
	}
	return at, nil
}

func readUnits(rows *csv.Reader, at map[string]int, body string) ([]Unit, error) {
	var out []Unit
	var bodies []string
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the data set: %w", err)
		}
		field := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.Clone(strings.Join(strings.Fields(row[i]), " "))
			}
			return ""
		}
		line, _ := rows.FieldPos(0)
		u := Unit{Line: line, Body: field("codice_ipa"), Code: field("codice_uni_uo"), Name: field("descrizione_uo"), Mailbox: mailbox(field)}
		if body != "" && !strings.EqualFold(u.Body, body) {
			continue
		}
		if !slices.Contains(bodies, u.Body) {
			if bodies = append(bodies, u.Body); len(bodies) > 1 {
				return nil, fmt.Errorf("the data set has several bodies: %s, %s, …\n  choose one with --ente CODICE_IPA", bodies[0], bodies[1])
			}
		}
		out = append(out, u)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the data set has no unit of the body %q\n  --ente takes its code in the index (Codice_IPA), such as c_f023", body)
	}
	return out, nil
}

// mailbox is the unit's own mailbox: the first that is no certified mail, whatever the index calls it, since notices between
// offices never go to one (R10), and not that of the person in charge, who changes (R12).
func mailbox(field func(string) string) string {
	person, name := field("mail_responsabile"), field("nome_responsabile")+" "+field("cognome_responsabile")
	for i := 1; i <= mailboxes; i++ {
		mail, kind := field(fmt.Sprintf("mail%d", i)), field(fmt.Sprintf("tipo_mail%d", i))
		if mail != "" && strings.EqualFold(kind, "altro") && !strings.EqualFold(mail, person) &&
			!policy.CertifiedMailbox(mail) && !policy.PersonsMailbox(mail, name) {
			return strings.ToLower(mail)
		}
	}
	return ""
}
