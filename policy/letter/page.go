package letter

import (
	_ "embed"
	"html/template"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page sets the document as HTML for print on A4, without anything from outside.
func (d *document) page() (string, error) {
	var out strings.Builder
	err := pageTemplate.Execute(&out, d)
	return out.String(), err
}
