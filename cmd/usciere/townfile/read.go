package townfile

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"usciere/cmd/usciere/plainyaml"
	"usciere/policy"
	"usciere/policy/town"
)

// File is a file that was read.
type File struct {
	Document *town.Document
	name     string
	where    map[string]plainyaml.Position // of the value of every key and element
}

// MaxOctets is the largest file that is read.
const MaxOctets = 64 << 20

// limits are those of one piece of the file.
var limits = plainyaml.Limits{Octets: 8 << 20, Keys: 50_000, Depth: 12, Advice: "write it over several lines, an entry on each"}

// maxProblems fill a screen.
const maxProblems = 20

// Read reads a file; name is what errors call it. What is wrong with it is a plainyaml.Problems. Progress, if there is any,
// is told how many octets have been read.
//
// The file is read piece by piece, some entries of a section at a time, since a tree of a large file would take a hundred
// times its size.
func Read(r io.Reader, name string, progress func(octets int64)) (*File, error) {
	f := &File{Document: new(town.Document), name: name, where: map[string]plainyaml.Position{"": {Line: 1, Column: 1}}}
	d := &decoder{file: f}
	pieces := newPieces(io.LimitReader(r, MaxOctets+1))
	for len(d.found) < maxProblems {
		part, ok, err := pieces.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if pieces.octets > MaxOctets {
			d.report(plainyaml.Position{Line: 1, Column: 1}, "larger than %d MiB: apply it in parts with --keep-unlisted", MaxOctets>>20)
			break
		}
		if d.piece(part); pieces.second > 0 {
			d.from = piece{}
			d.report(plainyaml.Position{Line: pieces.second, Column: 1}, "a second document: a file is one")
			break
		}
		if progress != nil {
			progress(pieces.octets)
		}
	}
	if len(d.found) > 0 {
		return nil, d.problems()
	}
	return f, nil
}

func (d *decoder) problems() plainyaml.Problems {
	slices.SortStableFunc(d.found, func(a, b plainyaml.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.found[:min(len(d.found), maxProblems)]
}

// Place gives the problems of a document their places in the file it was read from: that of the path, or of the nearest
// thing around it that the file has.
func (f *File) Place(problems []policy.Problem) plainyaml.Problems {
	out := make(plainyaml.Problems, len(problems))
	for i, p := range problems {
		text := p.Message
		if p.Path != "" {
			text = p.Path + ": " + text
		}
		if p.Hint != "" {
			text += ": " + p.Hint
		}
		at := f.at(p.Path)
		out[i] = plainyaml.Problem{File: f.name, Line: at.Line, Column: at.Column, Text: text}
	}
	return out
}

func (f *File) at(path string) plainyaml.Position {
	for {
		if at, ok := f.where[path]; ok || path == "" {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}
