package measure

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// GoBenchmark is what the runs of one Go benchmark said.
type GoBenchmark struct {
	Nanoseconds Figures // an operation
	Allocations Figures // an operation; none without -benchmem
}

// RunGoBenchmarks runs the benchmarks of packages that match a pattern, with more arguments of go test; by name, with "-2" and the like
// at its end for the processors if they are not one.
func RunGoBenchmarks(ctx context.Context, pattern string, args ...string) (map[string]GoBenchmark, error) {
	out, err := exec.CommandContext(ctx, "go", append([]string{"test", "-run", "^$", "-bench", pattern}, args...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s: %w\n%s", pattern, err, out)
	}
	return parseGoBenchmarks(string(out)), nil
}

var goBenchmarkPattern = regexp.MustCompile(`(?m)^(Benchmark\S+)\s+\d+\s+([\d.]+) ns/op(?:.*?\s(\d+) allocs/op)?`)

func parseGoBenchmarks(text string) map[string]GoBenchmark {
	found := map[string]GoBenchmark{}
	for _, m := range goBenchmarkPattern.FindAllStringSubmatch(text, -1) {
		b := found[m[1]]
		if ns, err := strconv.ParseFloat(m[2], 64); err == nil {
			b.Nanoseconds = append(b.Nanoseconds, ns)
		}
		if allocations, err := strconv.ParseFloat(m[3], 64); err == nil {
			b.Allocations = append(b.Allocations, allocations)
		}
		found[m[1]] = b
	}
	return found
}
