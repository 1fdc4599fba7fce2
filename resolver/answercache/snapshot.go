package answercache

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"usciere/resolver/wire"
)

// A snapshot is, in this order, all numbers big-endian:
//
//	"usciere cache 1\n"
//	when it was written: Unix nanoseconds, 8 octets
//	for each answer:
//	  stored     8 octets, Unix nanoseconds
//	  group      8
//	  life       4, seconds
//	  flags      1: DO, CD, AD, and whether it is exact, in the four lowest bits
//	  length     2, at least 1
//	  message    as long as that
//	SHA-256 of all before, 32 octets
//
// What is in it is what offices asked of late, of nobody in particular: no client, no failure.
const (
	snapshotMagic  = "usciere cache 1\n"
	snapshotHeader = len(snapshotMagic) + 8
	recordHeader   = 8 + 8 + 4 + 1 + 2
)

// ErrSnapshot says that a snapshot is damaged, or none; the wrapping text says why.
var ErrSnapshot = errors.New("not a sound snapshot of the cache")

// Save writes a snapshot of the answers that are fresh or may still stand in, and returns how many there were. The error is
// the writer's.
func (c *Cache) Save(w io.Writer, now time.Time) (n int, err error) {
	sum := sha256.New()
	out := bufio.NewWriter(io.MultiWriter(w, sum))
	header := binary.BigEndian.AppendUint64([]byte(snapshotMagic), uint64(now.UnixNano()))
	_, _ = out.Write(header) // an error is kept until Flush
	for i := range c.shards {
		for _, e := range c.shards[i].entries.Values() {
			if e.fit(now, c.cfg.StaleMax) {
				_, _ = out.Write(e.appendHeader(header[:0]))
				_, _ = out.Write(e.msg)
				n++
			}
		}
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	_, err = w.Write(sum.Sum(nil))
	return n, err
}

// appendHeader appends what goes before the message in a snapshot.
func (e *entry) appendHeader(b []byte) []byte {
	f := flags(e.do, e.cd)
	if e.ad {
		f |= 4
	}
	if e.exact {
		f |= 8
	}
	b = binary.BigEndian.AppendUint64(b, uint64(e.stored))
	b = binary.BigEndian.AppendUint64(b, e.group)
	b = binary.BigEndian.AppendUint32(b, e.life)
	return binary.BigEndian.AppendUint16(append(b, f), uint16(len(e.msg)))
}

// Load takes in the answers of a snapshot that are still fresh or may stand in, as far as there is room, and returns how many
// there were; nothing at all of one whose checksum is wrong. The error wraps ErrSnapshot, or is the reader's. The time that
// went by counts, by the clock on the wall; when that was set back meanwhile, none did.
func (c *Cache) Load(r io.ReadSeeker, now time.Time) (n int, err error) {
	saved, size, err := checkSnapshot(r)
	if err != nil {
		return 0, err
	}
	back := min(now.UnixNano()-saved, 0)
	in := bufio.NewReader(io.LimitReader(r, size))
	for {
		var header [recordHeader]byte
		if _, err := io.ReadFull(in, header[:]); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
		msg := make([]byte, binary.BigEndian.Uint16(header[recordHeader-2:]))
		if _, err := io.ReadFull(in, msg); err != nil {
			return n, fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
		if c.restore(header, msg, back, now) {
			n++
		}
	}
}

// restore keeps an answer as a snapshot has it, with its age moved by back nanoseconds, unless it is of no use any more.
func (c *Cache) restore(header [recordHeader]byte, msg []byte, back int64, now time.Time) bool {
	stored := time.Unix(0, int64(binary.BigEndian.Uint64(header[:]))+back)
	f := header[20]
	q := question{do: f&1 != 0, cd: f&2 != 0, group: binary.BigEndian.Uint64(header[8:])}
	var ok bool
	if q.name, q.typ, q.class, ok = wire.QuestionOf(msg); !ok {
		return false
	}
	life := time.Duration(binary.BigEndian.Uint32(header[16:])) * time.Second
	e := c.newEntry(q, msg, life, f&4 != 0, f&8 != 0, stored)
	if e == nil || !e.fit(now, c.cfg.StaleMax) {
		return false
	}
	k := c.key(q)
	c.shard(k).put(k, e)
	return true
}

// checkSnapshot reads a snapshot from end to end and leaves r behind its header; size is that of the answers, in octets.
func checkSnapshot(r io.ReadSeeker) (saved, size int64, err error) {
	total, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	size = total - int64(snapshotHeader) - sha256.Size
	header := make([]byte, snapshotHeader)
	if _, err := io.ReadFull(r, header); err != nil || string(header[:len(snapshotMagic)]) != snapshotMagic || size < 0 {
		return 0, 0, fmt.Errorf("%w: another kind or version of file", ErrSnapshot)
	}
	sum := sha256.New()
	sum.Write(header)
	if _, err := io.CopyN(sum, r, size); err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(r, want[:]); err != nil || want != [sha256.Size]byte(sum.Sum(nil)) {
		return 0, 0, fmt.Errorf("%w: its checksum is wrong", ErrSnapshot)
	}
	_, err = r.Seek(int64(snapshotHeader), io.SeekStart)
	return int64(binary.BigEndian.Uint64(header[len(snapshotMagic):])), size, err
}
