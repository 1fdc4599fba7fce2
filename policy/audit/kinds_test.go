package audit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whoever adds a change finds out here that the audit has to know what its body means.
func TestEveryKindOfChangeIsKnown(t *testing.T) {
	kind := regexp.MustCompile(`\) Kind\(\) string +\{ return "([^"]+)" \}|Kind: "(store\.[a-z]+)"`)
	found := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range kind.FindAllSubmatch(text, -1) {
			found[string(m[1])+string(m[2])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for k := range found {
		if kinds[k] == nil {
			t.Errorf("%s: the audit does not know what such a change leaves; give it a row in kinds", k)
		}
	}
	for k := range kinds {
		if !found[k] {
			t.Errorf("%s: no change is of this kind", k)
		}
	}
}
