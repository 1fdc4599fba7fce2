// Package testbed is what the measured runs share: the job that every server is given, an upstream that knows all its names, and
// Usciere's own settings for it.
//
// The job: the names of some domains, and all below them, are asked of the upstream and kept; everything else is REFUSED. The
// upstream would answer all of it, so that who refuses is the server.
package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
)

// Domains is the number of domains of the job, unless a run is about their number.
const Domains = 500

// Domain is one of the domains that are allowed, without a dot at the end, 18 octets.
func Domain(i int) string { return fmt.Sprintf("ente%06d.example", i) }

// Blocked is a domain that is not.
func Blocked(i int) string { return fmt.Sprintf("altro%05d.example", i) }

// Address is what the upstream says of a domain that is allowed, and of all names below it. It is a documentation prefix (RFC 5737).
func Address(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i%250 + 1)}) }

// hosts are the names of the warm mix, below each domain; the empty one is the domain itself.
var hosts = []string{"", "www.", "servizi.", "login.spid."}

// WarmQueries writes the questions of the warm mix, 70 % for names allowed and 30 % for others, the same
// every time.
func WarmQueries(file string) error {
	const questions, allowed = 10_000, 70
	rng := rand.New(rand.NewPCG(1, 2))
	return writeLines(file, questions, func(i int) string {
		host := hosts[rng.IntN(len(hosts))]
		if i%100 < allowed {
			return host + Domain(rng.IntN(Domains)) + " A"
		}
		return host + Blocked(rng.IntN(Domains)) + " A"
	})
}

// NewQueries writes n questions for names below the allowed domains that no other file of the run has: salt is another for each.
func NewQueries(file string, n, salt int) error {
	rng := rand.New(rand.NewPCG(3, uint64(salt)))
	return writeLines(file, n, func(i int) string {
		return "n" + strconv.FormatInt(int64(salt)<<32|int64(i), 36) + "." + Domain(rng.IntN(Domains)) + " A"
	})
}

func writeLines(file string, n int, line func(i int) string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range n {
		if _, err := w.WriteString(line(i) + "\n"); err != nil {
			break // Flush returns it again
		}
	}
	return errors.Join(w.Flush(), f.Close())
}
