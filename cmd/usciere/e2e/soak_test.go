//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// A part of what `make soak` plays; its own verdict counts, on wrong and lost answers and on what grows.
func TestS21ADaysLoadLeavesNothingBehind(t *testing.T) {
	length := max(25*time.Second, time.Duration(part(t, 600))*time.Second)
	cmd := exec.Command("go", "run", "./bench/office", "--program", program, "--report", "", "--soak", length.String())
	cmd.Dir = repository
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	promised(t, fmt.Sprintf("%s of a day's load, ten times as fast", 10*length), "held", "each of the lines of make soak", true)
	t.Logf("%s", out)
}
