package letter

import (
	"strings"
	"unicode"
)

// clean leaves of all texts only what can be printed: no control characters, none that turn the direction of text, valid
// UTF-8.
func (d *document) clean() {
	cleanAll(&d.Lang, &d.Town, &d.Subject, &d.Registry)
	for _, list := range [][]string{d.Heading, d.To, d.Signature, d.Foot} {
		cleanList(list)
	}
	cleanMarks(d.Marks)
	for _, s := range d.Sections {
		for i := range s.Blocks {
			b := &s.Blocks[i]
			b.Quote = cleanText(b.Quote)
			cleanAll(&b.Text, &b.Link)
			cleanList(b.Items)
			cleanList(b.Head)
			cleanList(b.Ticks)
			for _, row := range b.Rows {
				cleanList(row)
			}
			cleanMarks(b.Marks)
		}
	}
	if d.Form != nil {
		d.Form.clean()
	}
}

func cleanMarks(marks []mark) {
	for i := range marks {
		cleanAll(&marks[i].Label, &marks[i].Value)
	}
}

func cleanList(list []string) {
	for i := range list {
		list[i] = cleanLine(list[i])
	}
}

func cleanAll(texts ...*string) {
	for _, t := range texts {
		*t = cleanLine(*t)
	}
}

// cleanLine is cleanText on one line.
func cleanLine(text string) string { return strings.Join(strings.Fields(cleanText(text)), " ") }

// cleanText keeps line ends.
func cleanText(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, strings.ToValidUTF8(text, "\ufffd")))
}
