package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with the settings.
type Problem struct {
	File         string // as given to Load or Parse; empty when the settings were not read from a file
	Line, Column int    // from 1; 0 when the settings were not read from a file
	Text         string // the key and what was expected of it
}

// Error is file:line:column: and the text.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Problems is the error of Load, Parse and Check: everything found, in the
// order of the file, at most maxProblems.
type Problems []Problem

// Error has one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// maxProblems fills a screen; a file with more is not a settings file.
const maxProblems = 20

// position in the file, both from 1.
type position struct{ line, column int }

// report collects problems while the settings are decoded and checked.
type report struct {
	file  string
	where map[string]position // of the value of every key that the file has
	found Problems
}

// add notes a problem at a position.
func (r *report) add(at position, format string, args ...any) {
	r.found = append(r.found, Problem{r.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// key notes a problem with a key, at its value or, when the file does not have
// it, at the nearest mapping or list around it.
func (r *report) key(path, format string, args ...any) {
	r.add(r.at(path), path+": "+format, args...)
}

func (r *report) at(path string) position {
	for {
		if at, ok := r.where[path]; ok || path == "" {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// err is what was found, as an error; nil when nothing was.
func (r *report) err() error {
	if len(r.found) == 0 {
		return nil
	}
	slices.SortStableFunc(r.found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r.found[:min(len(r.found), maxProblems)]
}
