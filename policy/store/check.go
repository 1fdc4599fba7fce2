package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"usciere/policy"
	"usciere/policy/journal"
)

// Report is what Check found in a store.
type Report struct {
	Path    string               `json:"path"`
	ID      string               `json:"id"`
	Format  int                  `json:"format"`
	Size    int64                `json:"size"` // of the file, in octets
	Used    int64                `json:"used"` // in octets; the rest is room to grow
	Records map[policy.Table]int `json:"records"`
	Entries int                  `json:"entries"` // of the journal
	Head    journal.Head         `json:"head"`
}

// maxFaults is the most faults that a check lists; one disk block may hold hundreds of records.
const maxFaults = 20

// Check checks the store in a state folder, which no daemon may use meanwhile: every page, every record, and the whole
// journal. It changes nothing. The error is that of Open or joins the faults found.
func Check(dir string) (Report, error) {
	r := Report{Path: filepath.Join(dir, databaseFile)}
	s, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		return r, err
	}
	err = s.check(&r)
	return r, errors.Join(err, s.Close())
}

func (s *Store) check(r *Report) error {
	r.ID, r.Format, r.Head = s.identity.ID, s.identity.Format, s.Head()
	if info, err := os.Stat(s.path); err == nil {
		r.Size = info.Size()
	}
	var faults []error
	err := guard(func() error {
		return s.db.View(func(b *bbolt.Tx) error {
			r.Used = b.Size()
			for err := range b.Check() {
				faults = append(faults, damaged("%w", err))
			}
			return nil
		})
	})
	if err != nil || len(faults) > 0 {
		return joinFaults(append(faults, err))
	}
	r.Records = map[policy.Table]int{}
	err = s.View(func(t policy.Tx) error {
		for _, table := range policy.Tables {
			err := t.Each(table, "", func(key string, decode func(any) error) error {
				r.Records[table]++
				if err := decode(newRecord(table)); err != nil {
					faults = append(faults, err)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	faults = append(faults, err)
	if len(faults) == 1 && err == nil {
		faults = append(faults, policy.Check(s))
	}
	_, r.Entries, err = s.VerifyJournal()
	return joinFaults(append(faults, err))
}

func joinFaults(faults []error) error {
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults:maxFaults], fmt.Errorf("and %d more", more))
	}
	return errors.Join(faults...)
}

// newRecord is something that a record of the table can be decoded into.
func newRecord(t policy.Table) any {
	switch t {
	case policy.TableOffices:
		return new(policy.Office)
	case policy.TableSeats:
		return new(policy.Seat)
	case policy.TableHosts:
		return new(policy.Host)
	case policy.TableServices:
		return new(policy.Service)
	case policy.TableRequests:
		return new(policy.Request)
	case policy.TableProtocols:
		return new(policy.RequestID)
	case policy.TableGrants:
		return new(policy.Grant)
	default:
		return new(json.RawMessage)
	}
}
