package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// childFolder names the environment variable by which the test binary is told to be the process that gets killed.
const childFolder = "USCIERE_STORE_CHILD"

// changeForever opens the store of a folder and makes changes, and prints the number of each when it is acknowledged.
func changeForever(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		fail(err)
	}
	live, err := policy.Open(s, town, clock)
	if err != nil {
		fail(err)
	}
	for i := s.Head().Seq + 1; ; i++ {
		id := fmt.Sprintf("office-%d", i)
		if _, err := live.Apply(clerk, policy.AddOffice{ID: id, Name: id}); err != nil {
			fail(err)
		}
		if i%3 == 0 {
			if _, err := live.Apply(clerk, policy.RemoveOffice{ID: id}); err != nil {
				fail(err)
			}
			i++
		}
		fmt.Println(i)
	}
}

// S15. The environment variable USCIERE_KILLS asks for more kills than the usual.
func TestNoAcknowledgedChangeIsLostWhenTheProcessIsKilled(t *testing.T) {
	kills := 25
	if text := os.Getenv("USCIERE_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	dir := t.TempDir()
	acknowledged := uint64(0)
	for round := range kills {
		// Every third is killed while it starts, the others at work.
		patience := time.Duration(rand.Int64N(int64(60 * time.Millisecond)))
		acknowledged = max(acknowledged, killAfter(t, dir, round%3 != 0, patience))
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("kill %d: %v", round, err)
		}
		if head := s.Head().Seq; head < acknowledged {
			t.Errorf("kill %d: change %d was acknowledged, the store ends with %d", round, acknowledged, head)
		}
		if kept, told := offices(t, s), officesOfJournal(t, s); !maps.Equal(kept, told) {
			t.Errorf("kill %d: the store has offices %v, by the journal they are %v", round, kept, told)
		}
		s.Close()
		if sound(t, dir); t.Failed() {
			return
		}
	}
	if acknowledged == 0 {
		t.Error("no change was ever made")
	}
	t.Logf("%d kills, %d changes", kills, acknowledged)
}

func offices(t *testing.T, s *Store) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	err := s.View(func(x policy.Tx) error {
		return x.Each(policy.TableOffices, "", func(key string, _ func(any) error) error {
			ids[key] = true
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func officesOfJournal(t *testing.T, s *Store) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	err := s.Journal(1, func(e journal.Entry) bool {
		switch e.Kind {
		case policy.AddOffice{}.Kind():
			ids[e.Office] = true
		case policy.RemoveOffice{}.Kind():
			delete(ids, e.Office)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// killAfter runs a child for a time, counted from its start or from its first change, and returns the last change that it
// printed.
func killAfter(t *testing.T, dir string, atWork bool, patience time.Duration) (last uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { time.AfterFunc(patience, func() { cmd.Process.Kill() }) }
	if !atWork {
		kill()
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) { // a line cut off by the kill does not count
			break
		}
		if last, err = strconv.ParseUint(line[:len(line)-1], 10, 64); err != nil {
			t.Fatal(err)
		}
		if atWork {
			atWork = false
			kill()
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return last
}
