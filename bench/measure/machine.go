package measure

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

var modelPattern = regexp.MustCompile(`model name\s*:\s*(.*)`)

// Machine is one line that says where and when something was measured.
func Machine(now time.Time) string {
	model, kernel := runtime.GOARCH, "an unknown kernel"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := modelPattern.FindSubmatch(text); m != nil {
			model = string(m[1])
		}
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		kernel = "Linux " + unix.ByteSliceToString(name.Release[:])
	}
	return fmt.Sprintf("%s, %d cores, %s, %s, %s", model, runtime.NumCPU(), kernel, runtime.Version(), now.Format(time.DateOnly))
}
