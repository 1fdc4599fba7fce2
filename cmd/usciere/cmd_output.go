package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// screen is what a person reads. Everything that comes from outside the program passes through its methods, which escape
// what a terminal would not show but obey (S18).
type screen struct{ w io.Writer }

// line prints what happened and to what: "granted   g-41  tributi  web". Empty fields are left out.
func (s screen) line(label string, fields ...string) {
	s.print(fmt.Sprintf("%-9s %s\n", printable(label), joined(fields)))
}

// detail prints a line that belongs to the one above.
func (s screen) detail(label string, fields ...string) {
	s.print(fmt.Sprintf("  %-8s %s\n", printable(label), joined(fields)))
}

// notes prints what was understood, or may be a slip, below what was done.
func (s screen) notes(notes []string) {
	for _, text := range notes {
		s.detail("note", text)
	}
}

// note prints a sentence.
func (s screen) note(text string) { s.print(printable(text) + "\n") }

// print writes text that is printable already. A screen that is gone (a closed pipe) is nobody's loss.
func (s screen) print(text string) { _, _ = io.WriteString(s.w, text) }

func joined(fields []string) string {
	var out []string
	for _, f := range fields {
		if f != "" {
			out = append(out, printable(f))
		}
	}
	return strings.Join(out, "  ")
}

// table prints aligned rows below a header; empty says what stands in place of a table without rows.
func (s screen) table(empty string, header []string, rows [][]string) {
	if len(rows) == 0 {
		s.note(empty)
		return
	}
	var lines strings.Builder
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i > 0 {
				lines.WriteByte('\t')
			}
			lines.WriteString(printable(cmp.Or(cell, "-")))
		}
		lines.WriteByte('\n')
	}
	t := tabwriter.NewWriter(s.w, 0, 0, 2, ' ', 0)
	_, _ = io.WriteString(t, lines.String())
	_ = t.Flush()
}

// json prints a value for programs, with stable keys.
func (s screen) json(v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(s.w, printableJSON(text.String()))
	return err
}

// printable escapes what is not printable: control characters, what turns the direction of text, octets that are no UTF-8.
func printable(text string) string {
	clean := func(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }
	if strings.IndexFunc(text, func(r rune) bool { return !clean(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case clean(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		i += size
	}
	return b.String()
}

// printableJSON escapes what encoding/json lets through of the same. Outside of strings it finds nothing but line ends.
func printableJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// counted is a number with its noun, whose plural ends in s.
func counted[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// texts are values as text.
func texts[T fmt.Stringer](values []T) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.String()
	}
	return strings.Join(out, ", ")
}
