package main_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The module's packages and what each may import, tests aside: the standard library always, of the rest what a pattern
// names. A pattern is an import path, with "module/" standing for this module, or one that ends in "/..." and takes in
// everything below as well. A package without a row is refused: who adds one says here what it may know.
var allowances = []struct {
	pkg string
	may []string
	why string
}{
	{"cmd/usciere", []string{"..."}, "it wires everything"},
	{"cmd/usciere/plainyaml", []string{"github.com/goccy/go-yaml/..."},
		"it reads text by hand of any kind, and knows none"},
	{"cmd/usciere/settings", []string{"github.com/goccy/go-yaml/...", "module/cmd/usciere/plainyaml"},
		"the settings file is read before anything exists that it could set"},

	{"cmd/usciere/townfile", []string{"github.com/goccy/go-yaml/...", "module/cmd/usciere/plainyaml", "module/policy", "module/policy/town"},
		"it reads and writes one file, and asks no daemon"},
	{"cmd/usciere/ipa", []string{"module/policy", "module/policy/town", "golang.org/x/text/unicode/norm"},
		"it turns rows of a data set into offices of a document"},

	{"policy", []string{"golang.org/x/net/idna", "golang.org/x/net/publicsuffix", "golang.org/x/text/unicode/norm", "github.com/gaissmai/bart/..."},
		"the rules are pure: they know neither packets nor files nor sockets"},
	{"policy/journal", nil, "the journal is pure, and an auditor must be able to read all of it"},
	{"policy/store", []string{"module/policy/...", "go.etcd.io/bbolt/..."},
		"the store keeps what the policy declares and knows nothing of queries"},
	{"policy/request", []string{"module/policy", "module/policy/letter"},
		"requests are rules of the office, not of the store or the socket"},
	{"policy/town", []string{"module/policy"}, "the whole policy as one document, compared with the rules; pure as they are"},
	{"policy/letter", []string{"module/policy"}, "letters are written from records alone, so that the same record gives the same paper"},
	{"policy/post", []string{"module/policy", "module/policy/letter", "github.com/wneessen/go-mail/..."},
		"it carries letters to the mail server, and writes none"},
	{"policy/audit", []string{"module/policy", "module/policy/journal", "module/policy/request"},
		"an auditor has a journal and this program, and neither store nor daemon"},
	{"policy/lease", []string{"module/policy", "github.com/fsnotify/fsnotify", "github.com/vishvananda/netlink"}, "leases only say who a client is"},
	{"policy/admin", []string{"module/policy/...", "golang.org/x/sys/unix"},
		"the socket shows cache and upstreams through small interfaces of its own, wired in cmd/usciere"},
	{"policy/portal", []string{"module/policy", "module/policy/admin", "module/policy/journal", "module/policy/letter", "module/policy/portal/door", "module/policy/request", "golang.org/x/net/idna", "golang.org/x/text/language"},
		"the pages show the policy, and write dates as the letters do; neither the query path nor the store is theirs"},
	{"policy/portal/door", nil, "it counts connections, whatever is asked through them"},
	{"policy/portal/authority", nil, "it makes certificates; for which names was decided before"},

	{"resolver", []string{"module/policy", "module/resolver/...", "github.com/miekg/dns", "github.com/dchest/siphash"},
		"the query path asks compiled rules and touches neither store nor socket"},
	{"resolver/listen", []string{"module/resolver/wire", "github.com/quic-go/quic-go/...",
		"golang.org/x/net/ipv4", "golang.org/x/net/ipv6", "golang.org/x/sys/unix"},
		"listeners carry bytes in and out and know no policy"},
	{"resolver/wire", nil, "every other package of the query path stands on it"},
	{"resolver/tally", []string{"module/policy"}, "it counts names, and asks nobody"},
	{"resolver/tap", []string{"module/resolver/listen", "github.com/miekg/dns", "github.com/dnstap/golang-dnstap", "google.golang.org/protobuf/proto"},
		"it keeps messages; whose was decided before"},
	{"resolver/owners", []string{"module/policy", "github.com/hashicorp/golang-lru/v2/..."}, "it remembers names, and asks nobody"},
	{"resolver/answercache", []string{"module/resolver/wire", "github.com/hashicorp/golang-lru/v2/..."},
		"offices share one cache, so it must know nothing of them"},
	{"resolver/upstream", []string{"module/resolver/wire", "github.com/miekg/dns", "github.com/quic-go/quic-go", "golang.org/x/sync/...",
		"golang.org/x/net/...", "golang.org/x/sys/unix"},
		"what may be asked was decided before"},
	{"resolver/blocklist", []string{"github.com/miekg/dns"}, "a list is data; whom it holds for was decided before"},
	{"resolver/zone", []string{"github.com/miekg/dns"}, "a local zone is data; for whom it is open was decided before"},
	{"resolver/dnstest", []string{"github.com/miekg/dns"}, "a fake that used our code would share its faults"},

	{"bench/officeload", nil, "the load is the same whatever is measured"},
	{"bench/measure", []string{"golang.org/x/sys/unix", "github.com/HdrHistogram/hdrhistogram-go"},
		"how processes are started and their cost is read; it knows none of them"},
	{"bench/testbed", []string{"module/bench/measure", "module/policy", "module/policy/store"},
		"the job that servers are given, and this one's rules for it; the others belong to the run that measures them"},
	{"bench/report", []string{"module/bench/measure"}, "pictures of figures, wherever they come from"},
	{"bench/echo", []string{"golang.org/x/sys/unix", "golang.org/x/net/ipv4"}, "the limit shares no code with what is held against it"},
	{"bench/peers", []string{"..."}, "it measures everything"},
	{"bench/scale", []string{"..."}, "it measures everything"},
	{"bench/gates", []string{"module/bench/measure"}, "it runs what measures and looks at the figures"},
	{"bench/office", []string{"..."}, "it measures everything"},
}

// Imports that have a home, and are refused everywhere else.
var homes = []struct {
	imports string
	in      []string // "module/" left out
	tests   bool     // tests anywhere may import it too
	why     string
}{
	{"go.etcd.io/bbolt/...", []string{"policy/store"}, false,
		"only the store knows how rules and journal are kept, so that one transaction holds both"},
	{"github.com/hashicorp/golang-lru/v2/...", []string{"resolver/answercache", "resolver/owners"}, false,
		"only caches know how they choose what to forget"},
	{"github.com/miekg/dns/...", []string{"resolver/...", "bench/..."}, true,
		"miekg/dns v1 stays behind resolver, so that its successor can replace it"},
	{"module/resolver/dnstest", []string{"bench/..."}, true, "fakes do not belong in the product"},
	{"module/bench/...", []string{"bench/..."}, true, "measuring does not belong in the product"},
	{"module/cmd/...", []string{"cmd/..."}, false, "the commands stand on the packages, never the other way round"},
}

// Names that say nothing of what a package is about.
var bannedNames = []string{"util", "utils", "common", "types", "model", "models", "helper", "helpers", "misc", "shared"}

// The only entries at the top of the repository, besides those that begin with a dot.
var topLevel = []string{"cmd", "resolver", "policy", "bench", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE"}

const module = "usciere"

// goPackage is what the checks need to know of a package: its path below the module ("" at the root), and its imports.
type goPackage struct {
	path        string
	imports     []string
	testImports []string
}

// matches tells whether an import path is what the pattern says.
func matches(pattern, importPath string) bool {
	if rest, ok := strings.CutPrefix(pattern, "module/"); ok {
		pattern = module + "/" + rest
	}
	if pattern == "..." {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
	}
	return importPath == pattern
}

func matchesAny(patterns []string, importPath string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, importPath) })
}

func inStandardLibrary(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return first != module && !strings.Contains(first, ".")
}

// complaints lists what is wrong with a package, each with the reason.
func complaints(p goPackage) []string {
	var out []string
	for _, name := range strings.Split(p.path, "/") {
		if slices.Contains(bannedNames, name) {
			out = append(out, fmt.Sprintf("%s: a package named %q: name it after its subject", p.path, name))
		}
	}
	check := func(importPath string, inTest bool) {
		for _, h := range homes {
			if matches(h.imports, importPath) && !matchesAny(h.in, p.path) && !(inTest && h.tests) {
				out = append(out, fmt.Sprintf("%s imports %s: %s", p.path, importPath, h.why))
				return
			}
		}
		if inTest || inStandardLibrary(importPath) {
			return
		}
		for _, a := range allowances {
			if a.pkg == p.path && !matchesAny(a.may, importPath) {
				out = append(out, fmt.Sprintf("%s imports %s: %s (it may import %q)", p.path, importPath, a.why, a.may))
			}
		}
	}
	for _, i := range p.imports {
		check(i, false)
	}
	for _, i := range p.testImports {
		check(i, true)
	}
	hasRow := false
	for _, a := range allowances {
		hasRow = hasRow || a.pkg == p.path
	}
	if len(p.imports) > 0 && !hasRow {
		out = append(out, fmt.Sprintf("%s has no row in the table of allowances: say there what it may import, and why", p.path))
	}
	return out
}

// readPackages parses the import clauses of every Go file below root. Unlike go list it sees files of every build tag,
// and what it reads counts for the cache of go test.
func readPackages(root string) ([]goPackage, error) {
	byPath := map[string]*goPackage{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		p := byPath[rel]
		if p == nil {
			p = &goPackage{path: rel}
			byPath[rel] = p
		}
		for _, spec := range parsed.Imports {
			importPath, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if strings.HasSuffix(file, "_test.go") {
				p.testImports = append(p.testImports, importPath)
			} else {
				p.imports = append(p.imports, importPath)
			}
		}
		return nil
	})
	var out []goPackage
	for _, p := range byPath {
		slices.Sort(p.imports)
		slices.Sort(p.testImports)
		p.imports, p.testImports = slices.Compact(p.imports), slices.Compact(p.testImports)
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b goPackage) int { return strings.Compare(a.path, b.path) })
	return out, err
}

func TestImportsKeepToTheLayout(t *testing.T) {
	packages, err := readPackages(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 3 {
		t.Fatalf("only %d packages found: is this test run elsewhere than in cmd/usciere?", len(packages))
	}
	for _, p := range packages {
		for _, c := range complaints(p) {
			t.Error(c)
		}
	}
}

func TestTheTopLevelHoldsOnlyWhatBelongsThere(t *testing.T) {
	root := filepath.Join("..", "..")
	var entries []string
	// The files of the repository, or, in an unpacked archive, those of the folder.
	list := exec.Command("git", "ls-files")
	list.Dir = root
	if out, err := list.Output(); err == nil && len(out) > 0 {
		for file := range strings.Lines(string(out)) {
			first, _, _ := strings.Cut(strings.TrimSpace(file), "/")
			entries = append(entries, first)
		}
	} else {
		dir, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dir {
			entries = append(entries, d.Name())
		}
	}
	slices.Sort(entries)
	for _, e := range slices.Compact(entries) {
		if !strings.HasPrefix(e, ".") && !slices.Contains(topLevel, e) {
			t.Errorf("%s stands at the top of the repository: only %s belong there", e, strings.Join(topLevel, ", "))
		}
	}
}

func TestForbiddenImportsAreCaught(t *testing.T) {
	for _, tc := range []struct {
		name    string
		pkg     string
		imports string
		inTest  bool
		want    string // part of the complaint; "" = allowed
	}{
		{"the store may use bbolt", "policy/store", "go.etcd.io/bbolt", false, ""},
		{"nobody else may", "policy/admin", "go.etcd.io/bbolt", false, "one transaction"},
		{"nor what lies below it", "policy/admin", "go.etcd.io/bbolt/errors", false, "one transaction"},
		{"nor in a test", "policy/admin", "go.etcd.io/bbolt", true, "one transaction"},
		{"nor the command", "cmd/usciere", "go.etcd.io/bbolt", false, "one transaction"},
		{"the cache may use golang-lru", "resolver/answercache", "github.com/hashicorp/golang-lru/v2", false, ""},
		{"the resolver may not", "resolver", "github.com/hashicorp/golang-lru/v2", false, "forget"},
		{"the resolver may use miekg/dns", "resolver", "github.com/miekg/dns", false, ""},
		{"the command may not", "cmd/usciere", "github.com/miekg/dns", false, "successor"},
		{"its tests may", "cmd/usciere", "github.com/miekg/dns", true, ""},
		{"the policy may not", "policy", "github.com/miekg/dns", false, "successor"},
		{"the wire may not", "resolver/wire", "github.com/miekg/dns", false, "stands on it"},
		{"a new folder below resolver needs a row", "resolver/oblivious", "fmt", false, "no row"},
		{"the policy may use public suffixes", "policy", "golang.org/x/net/publicsuffix", false, ""},
		{"but not the rest of x/net", "policy", "golang.org/x/net/ipv4", false, "pure"},
		{"the policy knows no store", "policy", "usciere/policy/store", false, "pure"},
		{"the journal knows no policy", "policy/journal", "usciere/policy", false, "auditor"},
		{"the resolver asks the policy", "resolver", "usciere/policy", false, ""},
		{"but never the store", "resolver", "usciere/policy/store", false, "neither store nor socket"},
		{"nor the socket", "resolver", "usciere/policy/admin", false, "neither store nor socket"},
		{"listeners know no policy", "resolver/listen", "usciere/policy", false, "no policy"},
		{"nothing imports the command", "policy/admin", "usciere/cmd/usciere/settings", false, "other way round"},
		{"but the command itself", "cmd/usciere", "usciere/cmd/usciere/settings", false, ""},
		{"fakes stay out of the product", "cmd/usciere", "usciere/resolver/dnstest", false, "fakes"},
		{"and come in tests", "cmd/usciere", "usciere/resolver/dnstest", true, ""},
		{"and in bench", "bench/peers", "usciere/resolver/dnstest", false, ""},
		{"the load stays out of the product", "resolver", "usciere/bench/officeload", false, "measuring"},
		{"a path that only begins like one allowed", "policy", "github.com/gaissmai/bartender", false, "pure"},
		{"the standard library is free", "policy/journal", "crypto/sha256", false, ""},
		{"a package named after nothing", "policy/util", "fmt", false, "subject"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := goPackage{path: tc.pkg, imports: []string{tc.imports}}
			if tc.inTest {
				p.imports, p.testImports = nil, p.imports
			}
			got := strings.Join(complaints(p), "\n")
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("got complaint %q; want %q in it", got, tc.want)
			}
			if tc.want != "" && !strings.Contains(got, path.Base(tc.pkg)) {
				t.Errorf("complaint %q does not name the package", got)
			}
		})
	}
}
