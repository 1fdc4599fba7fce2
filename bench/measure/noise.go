package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Busy is the processor time that some cores gave to programs so far, or lost to other guests of the machine.
func Busy(cores []int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(string(text), cores)
}

// parseBusy adds the fields user, nice, system and steal of the cores (proc(5)); what the kernel does for interrupts is nobody's.
func parseBusy(text string, cores []int) (time.Duration, error) {
	var ticks int64
	for _, core := range cores {
		_, line, found := strings.Cut(text, fmt.Sprintf("\ncpu%d ", core))
		fields := strings.Fields(line)
		if !found || len(fields) < 8 {
			return 0, fmt.Errorf("not as in proc(5): no cpu%d in /proc/stat", core)
		}
		for _, i := range []int{0, 1, 2, 7} {
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, nil
}
