package measure

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestTheProcessorTimeOfAProgramIsReadWhateverItsName(t *testing.T) {
	const rest = " S 1 2 3 0 -1 4194560 100 0 0 0 250 150 7 9 20 0 1 0 100 1000 200"
	for _, tc := range []struct{ name, text string }{
		{"a plain name", "17 (unbound)" + rest},
		{"a name with blanks and parentheses", "17 (a) R 9 (b c)" + rest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := parseStat(tc.text); err != nil || got != 4*time.Second {
				t.Errorf("got %v, %v; want 4s", got, err)
			}
		})
	}
	for _, text := range []string{"", "17 (unbound) S 1", "17 (unbound" + rest[:12], "17 (x) " + strings.Repeat("x ", 20)} {
		if got, err := parseStat(text); err == nil {
			t.Errorf("%q: got %v and no error", text, got)
		}
	}
}

func TestMemoryIsReadInOctets(t *testing.T) {
	got, err := parseStatus("Name:\tunbound\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\nRssFile:\t 1024 kB\n")
	if want := (Memory{RSS: 2 << 20, Anonymous: 1 << 20}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "VmRSS:\t 1 kB\n", "VmRSS:\t x kB\nRssAnon:\t 1 kB\n"} {
		if _, err := parseStatus(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestOnlyProgramsAndOtherGuestsKeepACoreBusy(t *testing.T) {
	const text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 10 20 30 1000 1000 1000 1000 40 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\ncpu10 5 5 5 5 5 5 5 5 0 0\nintr 1\n"
	for _, tc := range []struct {
		name  string
		cores []int
		want  time.Duration
	}{
		{"one core", []int{0}, 100 * tick},
		{"two cores", []int{0, 1}, 114 * tick},
		{"a core whose number begins like another's", []int{10}, 20 * tick},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := parseBusy(text, tc.cores); err != nil || got != tc.want {
				t.Errorf("got %v, %v; want %v", got, err, tc.want)
			}
		})
	}
	if _, err := parseBusy(text, []int{2}); err == nil {
		t.Error("a core that is not there is no error")
	}
}

const said = `Statistics:

  Queries sent:         1010
  Queries completed:    1000 (99.01%)
  Queries lost:         10 (0.99%)

  Response codes:       NOERROR 700 (70.00%), REFUSED 300 (30.00%)
  Average packet size:  request 36, response 52
  Run time (s):         2.000000
  Queries per second:   500.123456
`

func TestWhatDnsperfCountedIsRead(t *testing.T) {
	got, err := parseDnsperf(said)
	if err != nil || got.Completed != 1000 || got.Lost != 10 || got.PerSecond != 500.123456 {
		t.Errorf("got %+v, %v", got, err)
	}
	if want := map[string]int{"NOERROR": 700, "REFUSED": 300}; !maps.Equal(got.Codes, want) {
		t.Errorf("got %v; want %v", got.Codes, want)
	}
	if _, err := parseDnsperf("Error: no such file"); err == nil {
		t.Error("an output without figures is no error")
	}
}

func TestGoBenchmarksAreReadByName(t *testing.T) {
	got := parseGoBenchmarks(`goos: linux
BenchmarkDecide/500/granted 	 1672140	       183.0 ns/op	       0 B/op	       0 allocs/op
BenchmarkDecide/500/granted 	 2493588	       135.5 ns/op	       0 B/op	       2 allocs/op
BenchmarkCacheHitParallel-2 	     100	        50 ns/op
BenchmarkLoad 	     1	   5000000 ns/op	  12.5 heap-MB	     900 B/op	       7 allocs/op
PASS
`)
	for _, tc := range []struct {
		name            string
		ns, allocations Figures
	}{
		{"BenchmarkDecide/500/granted", Figures{183, 135.5}, Figures{0, 2}},
		{"BenchmarkCacheHitParallel-2", Figures{50}, nil},
		{"BenchmarkLoad", Figures{5000000}, Figures{7}},
	} {
		b := got[tc.name]
		if b.Nanoseconds.Show(1) != tc.ns.Show(1) || b.Allocations.Show(1) != tc.allocations.Show(1) {
			t.Errorf("%s: got %v", tc.name, b)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %d benchmarks; want 3", len(got))
	}
}
