//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// A test whose name begins with TestS and a number holds the server to the promise of that number, of which the README has the list.
// What it measured becomes a line of the table that `make faults` prints.

// figure is one line of the table.
type figure struct {
	promise           string // S13
	what, got, target string
	held              bool
}

var (
	figuresMu sync.Mutex
	figures   []figure
)

var promisePattern = regexp.MustCompile(`^TestS(\d+)`)

// promised puts a line into the table, and fails the test when the target is missed.
func promised(t testing.TB, what, got, target string, held bool) {
	t.Helper()
	f := figure{"", what, got, target, held}
	if m := promisePattern.FindStringSubmatch(t.Name()); m != nil {
		f.promise = "S" + m[1]
	}
	figuresMu.Lock()
	figures = append(figures, f)
	figuresMu.Unlock()
	t.Logf("%s %s: %s (%s)", f.promise, what, got, target)
	if !held {
		t.Errorf("%s: %s; promised is %s", what, got, target)
	}
}

// none measures what must not happen at all.
func none(t testing.TB, what string, n, of int) {
	t.Helper()
	promised(t, what, fmt.Sprintf("%d of %d", n, of), "0", n == 0 && of > 0)
}

// tally counts subtests, and those that fail.
type tally struct{ wrong, all int }

func (n *tally) run(t *testing.T, name string, test func(*testing.T)) {
	n.all++
	if !t.Run(name, test) {
		n.wrong++
	}
}

// few measures what may happen to one in a thousand.
func few(t testing.TB, what string, n, of int) {
	t.Helper()
	promised(t, what, fmt.Sprintf("%d of %d", n, of), "≤ 0.1 %", 1000*n <= of && of > 0)
}

// atMost measures what has a bound.
func atMost[N cmp.Ordered](t testing.TB, what string, got, bound N, unit string) {
	t.Helper()
	text := func(n N) string {
		if f, ok := any(n).(float64); ok {
			return strconv.FormatFloat(f, 'g', 3, 64) + unit
		}
		return fmt.Sprint(n) + unit
	}
	promised(t, what, text(got), "≤ "+text(bound), got <= bound)
}

// inTime measures a time. Nothing else may be running when all is measured; a part of it may run on a machine that is busy.
func inTime(t testing.TB, what string, took, bound time.Duration) {
	t.Helper()
	late := bound
	if percent(t) < 100 {
		late *= 4
	}
	promised(t, what, took.Round(time.Millisecond).String(), "≤ "+bound.String(), took <= late)
}

// percent is how much of the whole a test of a promise does: all of it for `make faults`.
func percent(t testing.TB) int { return number(t, "USCIERE_FAULTS", 10) }

// part is that much of a number, and at least one.
func part(t testing.TB, whole int) int { return max(1, whole*percent(t)/100) }

// writeFigures writes the table where `make faults` finds it.
func writeFigures() error {
	number := func(f figure) int { n, _ := strconv.Atoi(strings.TrimPrefix(f.promise, "S")); return n }
	slices.SortStableFunc(figures, func(a, b figure) int { return number(a) - number(b) })
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	missed := 0
	for _, f := range figures {
		verdict := "held"
		if !f.held {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.promise, f.what, f.got, f.target, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "%d figures, %d missed\n", len(figures), missed)
	path := filepath.Join(repository, ".build", "faults.txt")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
