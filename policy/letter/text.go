package letter

import (
	"strings"
	"unicode/utf8"
)

// columns is the width of the plain text, in characters (RFC 5322 §2.1.1 asks for 78 at most, quotes included).
const columns = 72

// sheet is plain text in the making.
type sheet struct{ strings.Builder }

// text sets the document as plain text. A word that is wider than a line, such as an address, stays whole.
func (d *document) text() string {
	var s sheet
	s.document(d)
	return s.String()
}

func (s *sheet) document(d *document) {
	if d.Town != "" {
		s.lines(append([]string{d.Town}, d.Heading...)...)
		s.line("", strings.Repeat("-", columns))
	}
	s.marks(d.Marks)
	if len(d.To) > 0 {
		s.WriteByte('\n')
		s.lines(d.To...)
	}
	if len(d.Marks)+len(d.To) > 0 {
		s.WriteByte('\n')
	}
	s.line("", d.Subject)
	s.line("", strings.Repeat("=", min(columns, utf8.RuneCountInString(d.Subject))))
	for _, part := range d.Sections {
		if part.Title != "" {
			s.WriteByte('\n')
			s.line("", strings.ToUpper(part.Title))
		}
		for _, b := range part.Blocks {
			s.WriteByte('\n')
			s.block(b)
		}
	}
	if len(d.Signature) > 0 {
		s.WriteString("\n\n")
		const indent = "                                "
		for _, line := range d.Signature {
			s.line(indent, line)
		}
		s.WriteByte('\n')
		s.line(indent, strings.Repeat("_", 36))
	}
	if d.Registry != "" {
		s.WriteByte('\n')
		s.line("", d.Registry)
	}
	if d.Form != nil {
		s.WriteByte('\n')
		s.line("", strings.Repeat("- ", columns/2))
		s.WriteByte('\n')
		s.document(d.Form)
	}
	if len(d.Foot) > 0 {
		s.WriteString("\n-- \n")
		s.lines(d.Foot...)
	}
}

func (s *sheet) block(b block) {
	switch {
	case b.Text != "":
		s.line("", b.Text)
	case b.Quote != "":
		for line := range strings.Lines(b.Quote) {
			s.line("  ", line)
		}
	case b.Link != "":
		s.line("  ", b.Link)
	case len(b.Ticks) > 0:
		for _, tick := range b.Ticks {
			s.item("[ ] ", tick)
		}
	case len(b.Rows) > 0:
		for _, row := range b.Rows {
			var rest []string
			for _, cell := range row[1:] {
				if cell != "" {
					rest = append(rest, cell)
				}
			}
			s.item("- ", row[0])
			s.line("  ", strings.Join(rest, "; "))
		}
	case len(b.Items) > 0:
		for _, item := range b.Items {
			s.item("- ", item)
		}
	case len(b.Marks) > 0:
		s.marks(b.Marks)
	default:
		for range b.Lines {
			s.line("", strings.Repeat("_", columns))
		}
	}
}

// marks writes labels and values in two columns, and a place to write where there is no value.
func (s *sheet) marks(marks []mark) {
	wide := 0
	for _, m := range marks {
		wide = max(wide, utf8.RuneCountInString(m.Label)+2)
	}
	for _, m := range marks {
		label := m.Label + ":" + strings.Repeat(" ", max(1, wide-utf8.RuneCountInString(m.Label)-1))
		if m.Value == "" {
			s.WriteString(label + strings.Repeat("_", 30) + "\n")
			continue
		}
		s.hanging(label, strings.Repeat(" ", wide), m.Value)
	}
}

func (s *sheet) lines(lines ...string) {
	for _, line := range lines {
		s.line("", line)
	}
}

// line writes a paragraph, each of its lines behind the indent.
func (s *sheet) line(indent, text string) { s.hanging(indent, indent, text) }

// item writes a paragraph behind a sign.
func (s *sheet) item(sign, text string) { s.hanging(sign, strings.Repeat(" ", len(sign)), text) }

// hanging writes a paragraph whose first line stands behind one text and the others behind another.
func (s *sheet) hanging(first, others, text string) {
	lead, used, fresh := first, 0, true
	for _, word := range strings.Fields(text) {
		wide := utf8.RuneCountInString(word)
		if !fresh && used+1+wide > columns {
			s.WriteByte('\n')
			lead, fresh = others, true
		}
		if fresh {
			s.WriteString(lead)
			used = utf8.RuneCountInString(lead)
		} else {
			s.WriteByte(' ')
			used++
		}
		s.WriteString(word)
		used, fresh = used+wide, false
	}
	if !fresh {
		s.WriteByte('\n')
	}
}
