package store

import (
	"encoding/binary"
	"hash/fnv"
	"io"
)

// meta is the meta page of a bbolt file, from which everything else is found. There are two, written in turn, so that
// the older one holds should the power be cut in the middle of the other.
type meta struct {
	pageSize, root, freelist, high, change uint64 // high: pages in use are below; change counts the transactions
}

// Octets of a meta page: page header (16), magic u32, version u32, page size u32, flags u32, root bucket u64 u64, freelist u64,
// high water mark u64, transaction u64, FNV-1a of all that follows the header (u64).
const (
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaLength  = 80
	metaSum     = 72
)

// parseMeta reads a meta page. The transaction's number is returned also when the rest is damaged.
func parseMeta(page []byte) (m meta, ok bool) {
	ne := binary.NativeEndian
	m = meta{
		pageSize: uint64(ne.Uint32(page[24:])), root: ne.Uint64(page[32:]), freelist: ne.Uint64(page[48:]),
		high: ne.Uint64(page[56:]), change: ne.Uint64(page[64:]),
	}
	return m, ne.Uint32(page[16:]) == metaMagic && ne.Uint32(page[20:]) == metaVersion && ne.Uint64(page[metaSum:]) == sumOf(page) &&
		validPageSize(m.pageSize)
}

// sumOf is the checksum that a meta page should have.
func sumOf(page []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(page[pageHeader:metaSum])
	return sum.Sum64()
}

// isMeta says whether the page's head, which the sum does not cover, is that of a meta page.
func isMeta(page []byte, id uint64) bool {
	flags, _ := header(page)
	return flags == metaPage && binary.NativeEndian.Uint64(page) == id
}

func validPageSize(n uint64) bool { return n >= 1<<10 && n <= 1<<24 && n&(n-1) == 0 }

// readMeta returns the newer of the two meta pages. If one of them is damaged, it must have been the older one (spare): the
// other would be the state before a change that was acknowledged.
func readMeta(r io.ReaderAt, length int64) (m meta, spare bool, err error) {
	first, err := metaAt(r, 0)
	if err != nil {
		return meta{}, false, err
	}
	a, okA := parseMeta(first)
	var (
		b      meta
		okB    bool
		second = make([]byte, metaLength)
	)
	// Where the second page stands depends on the size of a page, which the first one tells when it is sound.
	for at := uint64(1 << 10); at <= 1<<24 && int64(at)+metaLength <= length && !okB; at <<= 1 {
		if okA && at != a.pageSize {
			continue
		}
		if second, err = metaAt(r, int64(at)); err != nil {
			return meta{}, false, err
		}
		b, okB = parseMeta(second)
		okB = okB && b.pageSize == at
	}
	switch {
	case (okA || okB) && !(isMeta(first, 0) && isMeta(second, 1)):
		return meta{}, false, damaged("the head of a meta page is overwritten")
	case okA && okB && b.change > a.change:
		return b, false, nil
	case okA && okB:
		return a, false, nil
	case okA && b.change+1 == a.change:
		return a, true, nil
	case okB && a.change+1 == b.change:
		return b, true, nil
	case okA || okB:
		return meta{}, false, damaged("one of its two meta pages is damaged, and with it perhaps the last change")
	}
	return meta{}, false, damaged("it is no database, or its beginning is overwritten")
}

func metaAt(r io.ReaderAt, at int64) ([]byte, error) {
	page := make([]byte, metaLength)
	switch _, err := r.ReadAt(page, at); err {
	case nil:
		return page, nil
	case io.EOF:
		return nil, damaged("the file is cut within its first pages")
	default:
		return nil, advise(err)
	}
}
