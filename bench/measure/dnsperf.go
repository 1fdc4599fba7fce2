package measure

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// Load is a run of dnsperf: 8 clients in one thread, 200 queries under way.
type Load struct {
	Server  netip.AddrPort
	Queries string        // file, a name and a type a line
	Time    time.Duration // at most
	Rate    int           // queries a second at most; 0 for as many as are answered
	Once    bool          // end with the file, instead of beginning it again
	Cores   []int         // where dnsperf runs
}

// Result is what dnsperf counted.
type Result struct {
	Completed int            `json:"completed"`
	Lost      int            `json:"lost"`
	Codes     map[string]int `json:"codes"` // response codes of what was completed
	PerSecond float64        `json:"per_second"`
	CPU       time.Duration  `json:"cpu_ns"` // of dnsperf itself
}

// Run puts the load on its server.
func (l Load) Run(ctx context.Context) (Result, error) {
	args := []string{"-s", l.Server.Addr().String(), "-p", strconv.Itoa(int(l.Server.Port())), "-d", l.Queries,
		"-c", "8", "-q", "200", "-T", "1", "-l", strconv.Itoa(int(max(l.Time.Round(time.Second), time.Second).Seconds()))}
	if l.Rate > 0 {
		args = append(args, "-Q", strconv.Itoa(l.Rate))
	}
	if l.Once {
		args = append(args, "-n", "1")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "dnsperf", args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := OnCores(l.Cores, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return Result{}, fmt.Errorf("dnsperf: %w\n%s", err, out.Bytes())
	}
	r, err := parseDnsperf(out.String())
	r.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r, err
}

var (
	completedPattern = regexp.MustCompile(`Queries completed:\s+(\d+)`)
	lostPattern      = regexp.MustCompile(`Queries lost:\s+(\d+)`)
	ratePattern      = regexp.MustCompile(`Queries per second:\s+([\d.]+)`)
	codesPattern     = regexp.MustCompile(`Response codes:\s+(.*)`)
	codePattern      = regexp.MustCompile(`([A-Z0-9]+) (\d+) \(`)
)

func parseDnsperf(text string) (Result, error) {
	r := Result{Codes: map[string]int{}}
	completed, lost := completedPattern.FindStringSubmatch(text), lostPattern.FindStringSubmatch(text)
	rate, codes := ratePattern.FindStringSubmatch(text), codesPattern.FindStringSubmatch(text)
	if completed == nil || lost == nil || rate == nil {
		return r, fmt.Errorf("dnsperf did not say what it did:\n%s", text)
	}
	r.Completed, _ = strconv.Atoi(completed[1])
	r.Lost, _ = strconv.Atoi(lost[1])
	r.PerSecond, _ = strconv.ParseFloat(rate[1], 64)
	if codes != nil {
		for _, m := range codePattern.FindAllStringSubmatch(codes[1], -1) {
			r.Codes[m[1]], _ = strconv.Atoi(m[2])
		}
	}
	return r, nil
}
