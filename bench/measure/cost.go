package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc, whatever the kernel's own is (proc(5), USER_HZ).
const tick = 10 * time.Millisecond

// CPU is the processor time so far of the program and of the processes that it began and that still run, in user mode and in the kernel.
func (p *Process) CPU() (time.Duration, error) { return CPUOf(p.cmd.Process.Pid) }

// CPUOf is the CPU of a process by number.
func CPUOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	total, err := parseStat(string(text))
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return total, nil //nolint:nilerr // not every kernel tells; servers that are measured have none
	}
	for field := range strings.FieldsSeq(string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		if used, err := CPUOf(child); err == nil { // it may just have ended
			total += used
		}
	}
	return total, nil
}

// parseStat reads the fields utime and stime, the 14th and 15th. The second is the name in parentheses, which may hold anything.
func parseStat(text string) (time.Duration, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("not as in proc(5): %q", text)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}

// Memory is what a program has in memory, in octets.
type Memory struct {
	RSS       int64 `json:"rss"`
	Anonymous int64 `json:"anonymous"` // of that, what no file backs
}

// Memory reads what the program has in memory now.
func (p *Process) Memory() (Memory, error) { return MemoryOf(p.cmd.Process.Pid) }

// MemoryOf is the Memory of a process by number.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	return parseStatus(string(text))
}

func parseStatus(text string) (m Memory, err error) {
	found := 0
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		var into *int64
		switch key {
		case "VmRSS":
			into = &m.RSS
		case "RssAnon":
			into = &m.Anonymous
		default:
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return m, err
		}
		*into = n << 10
		found++
	}
	if found != 2 {
		return m, fmt.Errorf("not as in proc(5): no VmRSS and RssAnon in %d octets", len(text))
	}
	return m, nil
}
