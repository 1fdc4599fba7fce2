package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile in octets: room for large zones written inline; beyond it a zone
// belongs into a file of its own.
const maxFile = 1 << 20

// Load reads and checks a settings file. Keys that it does not have keep their
// default; relative paths in it start at its own folder. What is wrong with its
// content is a Problems, one short line each with file, line and column.
func Load(path string) (Settings, error) {
	data, err := readAtMost(path, maxFile)
	if err != nil {
		return Settings{}, fmt.Errorf("reading the settings: %w", err)
	}
	s, err := Parse(data, path)
	if err != nil {
		return Settings{}, err
	}
	s.resolvePaths(filepath.Dir(path))
	return s, nil
}

// readAtMost reads a file, and an octet over the limit if there is one.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

func (s *Settings) resolvePaths(folder string) {
	paths := []*string{&s.State, &s.Admin.Socket}
	for i := range s.Zones {
		paths = append(paths, &s.Zones[i].File)
	}
	for i := range s.Security.Files {
		paths = append(paths, &s.Security.Files[i])
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
}

// Parse reads and checks settings; name is the file's, for errors. The error is
// a Problems.
func Parse(data []byte, name string) (Settings, error) {
	r := &report{file: name, where: map[string]position{"": {1, 1}}}
	s := Default()
	if root := r.parse(data); root != nil {
		d := decoder{r}
		d.mapping(root, key{}, reflect.ValueOf(&s).Elem())
	}
	if len(r.found) == 0 {
		s.check(r)
	}
	if err := r.err(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// parse turns the file into a tree, nil when it is empty or wrong.
func (r *report) parse(data []byte) ast.Node {
	if len(data) > maxFile {
		r.add(position{1, 1}, "larger than 1 MiB: move large zones into files of their own (zones[].file)")
		return nil
	}
	text := strings.TrimPrefix(string(data), "\ufeff") // a byte order mark, as some editors write
	if !r.shortText(text) {
		return nil
	}
	tokens := lexer.Tokenize(text)
	if !r.plain(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // duplicates are the decoder's: it knows the key's path
	if err != nil {
		if e, ok := errors.AsType[yaml.Error](err); ok {
			r.add(positionOf(e.GetToken()), "not YAML: %s", e.GetMessage())
		} else {
			r.add(position{1, 1}, "not YAML: %s", err)
		}
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		if root != nil {
			r.add(positionOf(doc.Body.GetToken()), "a second document: the settings are one")
			return nil
		}
		root = doc.Body
	}
	return root
}

func positionOf(tk *token.Token) position {
	if tk == nil || tk.Position == nil {
		return position{1, 1}
	}
	return position{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}
