package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"usciere/cmd/usciere/plainyaml"
)

// Problem is one thing wrong with the settings; its file, line and column are
// empty when the settings were not read from a file.
type Problem = plainyaml.Problem

// Problems is the error of Load, Parse and Check: everything found, in the
// order of the file, at most maxProblems.
type Problems = plainyaml.Problems

// maxProblems fills a screen; a file with more is not a settings file.
const maxProblems = 20

// position in the file.
type position = plainyaml.Position

// report collects problems while the settings are decoded and checked.
type report struct {
	file  string
	where map[string]position // of the value of every key that the file has
	found Problems
}

// add notes a problem at a position.
func (r *report) add(at position, format string, args ...any) {
	r.found = append(r.found, Problem{File: r.file, Line: at.Line, Column: at.Column, Text: fmt.Sprintf(format, args...)})
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
