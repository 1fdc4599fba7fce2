package settings

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"usciere/cmd/usciere/plainyaml"
)

// limits have room for large zones written inline; the deepest key,
// zones[].offices[].from, is at five.
var limits = plainyaml.Limits{Octets: 1 << 20, Keys: 10_000, Depth: 12, Advice: "move large zones into files of their own (zones[].file)"}

// Load reads and checks a settings file. Keys that it does not have keep their
// default; relative paths in it start at its own folder. What is wrong with its
// content is a Problems, one short line each with file, line and column.
func Load(path string) (Settings, error) {
	data, err := readAtMost(path, int64(limits.Octets))
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
	paths := []*string{&s.State, &s.Admin.Socket, &s.Mail.CA, &s.Mail.Password, &s.TLS.Certificate, &s.TLS.Key, &s.Identity.Secret}
	for i := range s.Upstream.Secure {
		paths = append(paths, &s.Upstream.Secure[i].CA)
	}
	for i := range s.DHCP.Leases {
		paths = append(paths, &s.DHCP.Leases[i].Path)
	}
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
	r := &report{file: name, where: map[string]position{"": {Line: 1, Column: 1}}}
	s := Default()
	if root := plainyaml.Parse(string(data), limits, r.add); root != nil {
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
