package settings

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReferenceHasARowForEveryField(t *testing.T) {
	reference := Reference()
	var fields func(typ reflect.Type, path string)
	fields = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" || f.Tag.Get("doc") == "" {
				t.Errorf("%s.%s: no yaml or no doc tag", typ, f.Name)
			}
			if strings.Contains(f.Tag.Get("doc"), "|") {
				t.Errorf("%s.%s: a bar breaks the table", typ, f.Name)
			}
			row := "| `" + strings.TrimPrefix(path+"."+name, ".") + "` |"
			if strings.Count(reference, row) != 1 {
				t.Errorf("%d rows begin with %s", strings.Count(reference, row), row)
			}
			inner := f.Type
			suffix := ""
			if inner.Kind() == reflect.Slice {
				inner, suffix = inner.Elem(), "[]"
			}
			if inner.Kind() == reflect.Struct && inner.PkgPath() == typ.PkgPath() && inner != reflect.TypeFor[Date]() {
				fields(inner, path+"."+name+suffix)
			}
		}
	}
	fields(reflect.TypeFor[Settings](), "")
}

func TestReferenceSaysDefaultBoundsAndReload(t *testing.T) {
	reference := Reference()
	for _, row := range []string{
		"| `listen` | list of texts | `[\":53\"]` | restart |",
		"| `admin.socket` | text | admin.sock in the state folder | restart |",
		"| `admin.group` | text | `usciere-admin` | restart |",
		"| `log.level` | debug, info, warn, error | `info` | yes |",
		"| `upstream.try_timeout` | duration, 50ms to 10s | `1.2s` | yes |",
		"| `sinkhole.mode` | page, nxdomain, nodata, zero, refused | `page` | yes |",
		"| `tcp.idle` | duration, 1s to 2m | `10s` | restart |",
		"| `zones[].name` | text | required | yes |",
		"| `zones[].offices[].from` | date | at once | yes |",
	} {
		if !strings.Contains(reference, row) {
			t.Errorf("no row %s\n%s", row, reference)
		}
	}
}

func TestExampleIsTheDefaultWrittenOut(t *testing.T) {
	s, err := Parse([]byte(Example()), "example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if live, restart := Changed(Default(), s); live != nil || restart != nil {
		t.Errorf("the example changes %q, %q", live, restart)
	}
	for _, k := range leaves(&s) {
		if !strings.Contains(Example(), "\n"+strings.Repeat("  ", strings.Count(k.path, "."))+k.name+": ") {
			t.Errorf("the example has no %s", k.path)
		}
	}
}

func TestSamplesInTheExampleCanBeUncommented(t *testing.T) {
	var file strings.Builder
	for line := range strings.Lines(Example()) {
		sample, ok := strings.CutPrefix(line, "# ")
		if ok && (sample == "forwards:\n" || sample == "zones:\n" || strings.HasPrefix(sample, "  ")) {
			file.WriteString(sample)
		}
	}
	s, err := Parse([]byte(file.String()), "f")
	if err != nil || len(s.Forwards) != 1 || len(s.Zones) != 1 || len(s.Zones[0].Offices) != 2 {
		t.Errorf("%v in\n%s", err, file.String())
	}
	var encrypted strings.Builder
	for _, k := range schema(reflect.ValueOf(&s).Elem(), key{}) {
		if example := k.tag.Get("example"); example != "" && !strings.Contains(k.path, "[]") {
			section, name, _ := strings.Cut(k.path, ".")
			if section == "tls" { // a certificate is for something, and nothing is encrypted without
				encrypted.WriteString("  " + name + ": " + example + "\n")
				continue
			}
			if _, err := Parse([]byte(section+":\n  "+name+": "+example+"\n"), "f"); err != nil {
				t.Errorf("the example of %s: %v", k.path, err)
			}
		}
	}
	if _, err := Parse([]byte("tls:\n"+encrypted.String()), "f"); err != nil {
		t.Errorf("the examples of tls: %v", err)
	}
}

func TestChangedTellsReloadFromRestart(t *testing.T) {
	tests := []struct {
		name          string
		change        func(*Settings)
		live, restart []string
	}{
		{"nothing", func(*Settings) {}, nil, nil},
		{"an empty list for none", func(s *Settings) { s.Zones = []Zone{} }, nil, nil},
		{"the listeners", func(s *Settings) { s.Listen = []string{":5300"} }, nil, []string{"listen"}},
		{"the state folder", func(s *Settings) { s.State = "/x" }, nil, []string{"state"}},
		{"the socket and its group", func(s *Settings) { s.Admin = Admin{Socket: "/x", Group: "y", Viewers: "usciere-viewer"} }, nil, []string{"admin.socket", "admin.group"}},
		{"two keys of the cache", func(s *Settings) { s.Cache.Memory = GiB; s.Cache.ClientTTL = time.Second }, nil, []string{"cache.memory", "cache.client_ttl"}},
		{"level and form of the log", func(s *Settings) { s.Log = Log{"debug", "json"} }, []string{"log.level"}, []string{"log.format"}},
		{"all of TCP", func(s *Settings) { s.TCP = TCP{} }, nil, []string{"tcp.connections", "tcp.per_client", "tcp.idle"}},
		{"the site and the upstreams", func(s *Settings) { s.Town.Site = s.Town.Site[1:]; s.Upstream.Timeout = time.Second }, []string{"town.site", "upstream.timeout"}, nil},
		{"one zone of a list", func(s *Settings) { s.Zones = []Zone{{Name: "a.it"}} }, []string{"zones"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Default()
			test.change(&s)
			live, restart := Changed(Default(), s)
			if !reflect.DeepEqual(live, test.live) || !reflect.DeepEqual(restart, test.restart) {
				t.Errorf("live %q, restart %q; want %q, %q", live, restart, test.live, test.restart)
			}
		})
	}
}
