// Package report makes one page of figures: an HTML file that needs nothing beside it and no script, with a picture and the table that
// it was drawn from, for each subject. It follows the reader's choice of light or dark, prints, and says in words what the pictures show.
package report

import (
	_ "embed"
	"html/template"
	"io"
)

// Page is a report.
type Page struct {
	Title    string
	Lead     []string // paragraphs: what was measured, when, on what
	Sections []Section
	Not      []string // what the figures are not
}

// Section is one subject.
type Section struct {
	Title   string
	Text    string
	Picture Picture // none: only the table
	Table   Table
}

// Picture is something that can be drawn.
type Picture interface {
	draw() template.HTML
}

// Table is what a picture was drawn from. The first cell of a row names it.
type Table struct {
	Head []string
	Rows [][]string
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"draw": func(p Picture) template.HTML { return p.draw() },
}).Parse(pageText))

// Write writes the page.
func (p Page) Write(w io.Writer) error { return pageTemplate.Execute(w, p) }
