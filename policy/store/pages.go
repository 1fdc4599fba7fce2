package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// bbolt maps its file and follows it without a look left or right: a page number beyond the end is a SIGBUS, a cycle an endless
// recursion. So the structure of the file is checked before bbolt sees it, by the layout of bbolt's format 2 (its package
// internal/common); all integers are in the order of the machine:
//
//	page    id u64, flags u16, count u16, overflow u32 (pages that follow and belong to it), then by flags:
//	meta    see meta.go
//	branch  count × {pos u32, keysize u32, page u64}, then the keys
//	leaf    count × {flags u32, pos u32, keysize u32, valuesize u32}, then the keys and values
//	free    count × page u64 of the free pages; if count is 0xFFFF the first is the true count
//
// pos counts from the start of its own element. bbolt writes keys and values in order and without gaps, which leaves hardly
// a bit of these fields that can change unnoticed. What is in the records is left to their checksums and to the journal.
const (
	pageHeader  = 16
	elementSize = 16
	bucketSize  = 16 // of a bucket's value: root page u64 (0: the page follows inline), sequence u64

	branchPage = 0x01
	leafPage   = 0x02
	metaPage   = 0x04
	freePage   = 0x10

	bucketFlag = 0x01 // of a leaf's element

	maxDepth = 64 // a tree of two keys a page would not be deeper
)

// pages is a walk over all pages of a file.
type pages struct {
	file []byte
	size uint64        // of a page
	high uint64        // pages in use are below
	seen []atomic.Bool // by page

	idle  chan struct{} // holds one for each walk but the first
	walks sync.WaitGroup
	fault atomic.Pointer[error] // what one of them found
}

// maxShared is the depth down to which the walk of a branch's child may go to another processor; below, it is too little work.
const maxShared = 3

// checkPages checks that a bbolt file can be followed safely, every page of it being in use or free, and that no committed change
// is missing as far as the file can tell. spare is true when one of the two meta pages is damaged, but the older one. Its
// errors are ErrDamaged or those of mapping the file; a page that the disk does not give is an ErrDamaged too.
func checkPages(f *os.File) (spare bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	switch {
	case !info.Mode().IsRegular():
		return false, damaged("it is not a regular file")
	case info.Size() == 0:
		return false, damaged("the file is empty")
	}
	file, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return false, fmt.Errorf("map %s: %w", f.Name(), advise(err))
	}
	err = guard(func() error {
		spare, err = checkLayout(file)
		return err
	})
	return spare, errors.Join(err, syscall.Munmap(file))
}

func checkLayout(file []byte) (spare bool, err error) {
	m, spare, err := readMeta(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return false, err
	}
	if m.high < 2 {
		return false, damaged("its meta page counts %d pages", m.high)
	}
	if uint64(len(file))/m.pageSize < m.high {
		return false, damaged("the file is cut: it has %d octets of %d", len(file), m.high*m.pageSize)
	}
	p := &pages{file: file, size: m.pageSize, high: m.high, seen: make([]atomic.Bool, m.high)}
	p.idle = make(chan struct{}, runtime.GOMAXPROCS(0)-1)
	p.seen[0].Store(true)
	p.seen[1].Store(true)
	if err := p.freelist(m.freelist); err != nil {
		return false, damaged("%w", err)
	}
	if err := p.walk(m.root); err != nil {
		return false, damaged("%w", err)
	}
	for id := range p.seen {
		if !p.seen[id].Load() {
			return false, damaged("page %d is neither in use nor free", id)
		}
	}
	return spare, nil
}

// claim notes that n pages from id on are in use or free, which they may be once.
func (p *pages) claim(id, n uint64) error {
	if id < 2 || id >= p.high || n > p.high-id {
		return fmt.Errorf("page %d is outside the file's %d", id, p.high)
	}
	for i := id; i < id+n; i++ {
		if p.seen[i].Swap(true) {
			return fmt.Errorf("page %d is used twice", i)
		}
	}
	return nil
}

// read returns a page with its overflow, and claims it.
func (p *pages) read(id uint64) ([]byte, error) {
	if err := p.claim(id, 1); err != nil {
		return nil, err
	}
	page := p.file[id*p.size : (id+1)*p.size]
	if at := binary.NativeEndian.Uint64(page); at != id {
		return nil, fmt.Errorf("page %d calls itself %d", id, at)
	}
	over := uint64(binary.NativeEndian.Uint32(page[12:]))
	if over > 0 {
		if err := p.claim(id+1, over); err != nil {
			return nil, err
		}
	}
	return p.file[id*p.size : (id+1+over)*p.size], nil
}

func header(page []byte) (flags uint16, count uint64) {
	return binary.NativeEndian.Uint16(page[8:]), uint64(binary.NativeEndian.Uint16(page[10:]))
}

// freelist claims the free pages.
func (p *pages) freelist(id uint64) error {
	page, err := p.read(id)
	if err != nil {
		return err
	}
	flags, count := header(page)
	if flags != freePage {
		return fmt.Errorf("page %d should be the list of free pages, and has type %#x", id, flags)
	}
	list := page[pageHeader:]
	if count == 0xFFFF {
		count = binary.NativeEndian.Uint64(list)
		list = list[8:]
	}
	if count > uint64(len(list)/8) {
		return fmt.Errorf("the list of free pages has %d entries, more than fit", count)
	}
	for i := range count {
		if err := p.claim(binary.NativeEndian.Uint64(list[i*8:]), 1); err != nil {
			return fmt.Errorf("list of free pages: %w", err)
		}
	}
	return nil
}

// walk walks everything, on all processors.
func (p *pages) walk(root uint64) error {
	defer p.walks.Wait() // also when a page that is gone ends it
	if err := p.tree(root, 0, nil, nil, true); err != nil {
		return err
	}
	p.walks.Wait()
	if fault := p.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// child walks the tree below a branch, elsewhere if a processor is idle.
func (p *pages) child(id uint64, depth int, from, to []byte, root bool) error {
	if depth > maxShared {
		return p.tree(id, depth, from, to, root)
	}
	select {
	case p.idle <- struct{}{}:
		p.walks.Go(func() {
			defer func() { <-p.idle }()
			if err := guard(func() error { return p.tree(id, depth, from, to, root) }); err != nil {
				p.fault.Store(&err)
			}
		})
		return nil
	default:
		return p.tree(id, depth, from, to, root)
	}
}

// tree walks the tree below a page, whose keys are at least from and below to (nil: no bound). Only the file's own root
// holds buckets.
func (p *pages) tree(id uint64, depth int, from, to []byte, root bool) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d lies too deep", id)
	}
	page, err := p.read(id)
	if err != nil {
		return err
	}
	switch flags, count := header(page); {
	case count == 0: // an empty table is always inline
		err = errors.New("it is empty")
	case flags == leafPage:
		_, err = p.leaf(page, depth, from, to, root)
	case flags == branchPage:
		err = p.branch(page, depth, from, to, root)
	default:
		err = fmt.Errorf("it has type %#x", flags)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

func (p *pages) branch(page []byte, depth int, from, to []byte, root bool) error {
	e, err := newElements(page)
	if err != nil {
		return err
	}
	key, child, err := e.branch()
	for i := uint64(0); i < e.count && err == nil; i++ {
		if bytes.Compare(key, from) < 0 || to != nil && bytes.Compare(key, to) >= 0 {
			return errors.New("its keys are out of order")
		}
		nextKey, nextChild, bound := to, uint64(0), to
		if i+1 < e.count {
			nextKey, nextChild, err = e.branch()
			bound = nextKey
		}
		if err == nil {
			err = p.child(child, depth+1, key, bound, root)
		}
		from, key, child = key, nextKey, nextChild
	}
	return err
}

// leaf walks the elements of a leaf, and returns how many octets of the page they take.
func (p *pages) leaf(page []byte, depth int, from, to []byte, root bool) (used uint64, err error) {
	e, err := newElements(page)
	if err != nil {
		return 0, err
	}
	for i := range e.count {
		flags, key, value, err := e.leaf()
		if err != nil {
			return 0, err
		}
		if order := bytes.Compare(key, from); len(key) == 0 || order < 0 || order == 0 && i > 0 || to != nil && bytes.Compare(key, to) >= 0 {
			return 0, errors.New("its keys are out of order")
		}
		from = key
		switch {
		case root != (flags == bucketFlag) || flags > bucketFlag:
			return 0, fmt.Errorf("an element has flags %#x", flags)
		case root:
			if err := p.bucket(value, depth); err != nil {
				return 0, fmt.Errorf("table %q: %w", key, err)
			}
		}
	}
	return e.data, nil
}

// bucket walks a table, which has a tree of its own or, while it is small, one leaf within the value.
func (p *pages) bucket(value []byte, depth int) error {
	if len(value) < bucketSize {
		return errors.New("its value is cut")
	}
	if id := binary.NativeEndian.Uint64(value); id != 0 {
		return p.tree(id, depth+1, nil, nil, false)
	}
	page := value[bucketSize:]
	if len(page) < pageHeader {
		return errors.New("its page is cut")
	}
	flags, _ := header(page)
	if flags != leafPage || binary.NativeEndian.Uint64(page) != 0 || binary.NativeEndian.Uint32(page[12:]) != 0 {
		return errors.New("its page is not an inline leaf")
	}
	used, err := p.leaf(page, depth, nil, nil, false)
	if err == nil && used != uint64(len(page)) {
		err = errors.New("its page is larger than its records")
	}
	return err
}

// elements reads the elements of a branch or leaf one after another.
type elements struct {
	page  []byte
	count uint64
	next  uint64 // offset of the next element
	data  uint64 // offset of its key
}

func newElements(page []byte) (*elements, error) {
	_, count := header(page)
	e := &elements{page: page, count: count, next: pageHeader, data: pageHeader + count*elementSize}
	if e.data > uint64(len(page)) {
		return nil, fmt.Errorf("it has %d elements, more than fit", count)
	}
	return e, nil
}

// take returns the next n octets of the keys and values.
func (e *elements) take(n uint64) ([]byte, error) {
	if n > uint64(len(e.page))-e.data {
		return nil, errors.New("an element reaches beyond the page")
	}
	e.data += n
	return e.page[e.data-n : e.data], nil
}

// begin steps to the next element, whose field pos must point at the first octet not taken.
func (e *elements) begin(field int) ([]byte, error) {
	at := e.page[e.next : e.next+elementSize]
	if uint64(binary.NativeEndian.Uint32(at[field:])) != e.data-e.next {
		return nil, errors.New("an element is misplaced")
	}
	e.next += elementSize
	return at, nil
}

func (e *elements) branch() (key []byte, child uint64, err error) {
	at, err := e.begin(0)
	if err != nil {
		return nil, 0, err
	}
	key, err = e.take(uint64(binary.NativeEndian.Uint32(at[4:])))
	return key, binary.NativeEndian.Uint64(at[8:]), err
}

func (e *elements) leaf() (flags uint32, key, value []byte, err error) {
	at, err := e.begin(4)
	if err != nil {
		return 0, nil, nil, err
	}
	if key, err = e.take(uint64(binary.NativeEndian.Uint32(at[8:]))); err != nil {
		return 0, nil, nil, err
	}
	value, err = e.take(uint64(binary.NativeEndian.Uint32(at[12:])))
	return binary.NativeEndian.Uint32(at), key, value, err
}
