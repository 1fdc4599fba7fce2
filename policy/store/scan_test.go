package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"usciere/policy"
)

// numbered is a store with so many records in the table of holdings, and their key.
func numbered(t *testing.T, n int) (dir string, key func(i int) []byte) {
	t.Helper()
	dir = t.TempDir()
	key = func(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(x policy.Tx) error {
		for i := 1; i <= n; i++ {
			if err := x.Put(policy.TableHoldings, string(key(i)), i); err != nil {
				return err
			}
		}
		return x.Journal(policy.Entry{Time: now, Actor: clerk, Kind: "test"})
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	sound(t, dir)
	return dir, key
}

// scan scans them with so many readers that add up what they read.
func scan(t *testing.T, dir string, readers int, stop func(number int) error) (count, sum int, err error) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	counts, sums := make([]int, readers), make([]int, readers)
	var all []policy.RecordReader
	for i := range readers {
		all = append(all, func(text []byte, decode func(any) error) error {
			var number int
			if err := decode(&number); err != nil {
				return err
			}
			if string(text) != fmt.Sprint(number) {
				t.Errorf("%q is decoded as %d", text, number)
			}
			counts[i]++
			sums[i] += number
			return stop(number)
		})
	}
	err = s.View(func(x policy.Tx) error { return x.Scan(policy.TableHoldings, all) })
	for i := range readers {
		count, sum = count+counts[i], sum+sums[i]
	}
	return count, sum, err
}

func TestAScanReadsEveryRecordOnce(t *testing.T) {
	goOn := func(int) error { return nil }
	for _, n := range []int{0, 1, scanBatch - 1, scanBatch, 20*scanBatch + 1} {
		dir, _ := numbered(t, n)
		for _, readers := range []int{1, 3} {
			if count, sum, err := scan(t, dir, readers, goOn); count != n || sum != n*(n+1)/2 || err != nil {
				t.Errorf("%d records, %d readers: %d read, their sum is %d, %v", n, readers, count, sum, err)
			}
		}
	}
}

func TestAScanEndsWithTheFirstErrorOfAReader(t *testing.T) {
	dir, _ := numbered(t, 100*scanBatch)
	enough := errors.New("enough")
	count, _, err := scan(t, dir, 2, func(number int) error {
		if number == 7 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || count > 99*scanBatch {
		t.Errorf("%d read, %v", count, err)
	}
}

func TestAScanNamesADamagedRecord(t *testing.T) {
	dir, key := numbered(t, 3*scanBatch)
	tamper(t, dir, func(b *bbolt.Tx) error {
		holdings := bucket(b, policy.TableHoldings)
		return holdings.Put(key(600), bytes.Clone(holdings.Get(key(599))))
	})
	_, _, err := scan(t, dir, 2, func(int) error { return nil })
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), `record "600" of table holdings: its checksum is wrong`) {
		t.Errorf("got %v", err)
	}
}

// The newest entry is verified whatever it has, the ones before it as far as tailOctets reach.
func TestTheVerifiedTailHasBoundedOctets(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, dir)
	defer s.Close()
	for _, octets := range []int{10, 10, tailOctets / 2, tailOctets / 4, 10, 2 * tailOctets} {
		err := s.Update(func(x policy.Tx) error {
			return x.Journal(policy.Entry{Time: now, Actor: clerk, Kind: "test", Body: strings.Repeat("a", octets)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if start, err := s.tailStart(s.Head(), 1000); start != 5 || err != nil {
		t.Errorf("the tail follows entry %d, %v; want 5: the newest is too large for another", start, err)
	}
	if err := s.Update(func(x policy.Tx) error {
		return x.Journal(policy.Entry{Time: now, Actor: clerk, Kind: "test", Body: "a"})
	}); err != nil {
		t.Fatal(err)
	}
	if start, err := s.tailStart(s.Head(), 1000); start != 6 || err != nil {
		t.Errorf("after a small entry the tail follows entry %d, %v; want 6", start, err)
	}
}
