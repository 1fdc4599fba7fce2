package store

import (
	"sync"
	"sync/atomic"

	"usciere/policy"
)

// scanBatch is how many records a goroutine of Scan is handed at once: enough that handing over does not show.
const scanBatch = 256

// raw is a record in the mapped file.
type raw struct{ key, value []byte }

// Scan implements policy.Tx. One goroutine walks the table and hands the records out; the checksums are verified where the
// records are read.
func (t *tx) Scan(name policy.Table, readers []policy.RecordReader) (err error) {
	from, err := t.table(name)
	if err != nil {
		return err
	}
	var (
		full    = make(chan []raw, len(readers))
		free    = make(chan []raw, 3*len(readers)) // all there are: none waits to be handed back
		failed  atomic.Bool
		workers sync.WaitGroup
		errs    = make([]error, len(readers))
	)
	for range cap(free) {
		free <- make([]raw, 0, scanBatch)
	}
	for i, read := range readers {
		workers.Go(func() {
			for batch := range full {
				if errs[i] == nil {
					if errs[i] = guard(func() error { return from.readAll(batch, read) }); errs[i] != nil {
						failed.Store(true)
					}
				}
				free <- batch[:0]
			}
		})
	}
	defer func() {
		close(full)
		workers.Wait()
		for i := 0; i < len(errs) && err == nil; i++ {
			err = errs[i]
		}
	}()
	c := from.Cursor()
	batch := <-free
	for k, v := c.First(); k != nil && !failed.Load(); k, v = c.Next() {
		if batch = append(batch, raw{k, v}); len(batch) == scanBatch {
			full <- batch
			batch = <-free
		}
	}
	full <- batch
	return nil
}

// readAll gives records to a reader.
func (t *table) readAll(batch []raw, read policy.RecordReader) error {
	var r raw
	var text []byte
	decode := func(into any) error { return t.parse(r.key, text, into) }
	for _, r = range batch {
		var err error
		if text, err = t.text(r.key, r.value); err != nil {
			return err
		}
		if err := read(text, decode); err != nil {
			return err
		}
	}
	return nil
}
