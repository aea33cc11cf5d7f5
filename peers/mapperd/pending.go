package mapperd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// pendingLog is the pending log of a volume: a ring of records in mapped shared memory. What was
// appended is there for the next process whenever this one is killed. Guarded by volume.mu.
type pendingLog struct {
	mem    []byte // the mapped file
	header mapfmt.PendingHeader
	seed   uint32
	first  uint64 // number of the oldest record that counts
	next   uint64 // number of the next record
	series *byte  // logs that grew out of each other have the same: their numbers mean the same
}

// createLog makes an empty log as a new file that takes the place of an old one: the header of a
// log never changes, because a header can't be rewritten in one step.
func createLog(path string, h mapfmt.PendingHeader) (*pendingLog, error) {
	h.First = 1
	l, err := prepareLog(path+newSuffix, h)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return nil, errors.Join(pendingError(path, err), l.close())
	}
	return l, nil
}

// prepareLog makes a file with an empty log.
func prepareLog(path string, h mapfmt.PendingHeader) (*pendingLog, error) {
	head, err := mapfmt.EncodePendingHeader(&h)
	if err != nil {
		return nil, pendingError(path, err)
	}
	mem, err := createMapped(path, h.FileBytes(), head)
	if err != nil {
		return nil, pendingError(path, err)
	}
	_, seed, err := mapfmt.DecodePendingHeader(mem)
	if err != nil {
		return nil, errors.Join(pendingError(path, err), unmap(mem))
	}
	return &pendingLog{mem: mem, header: h, seed: seed, first: h.First, next: h.First, series: new(byte)}, nil
}

// openLog maps an existing log and calls f for its records. fs.ErrNotExist if there is none.
func openLog(path string, f func(*mapfmt.PendingRecord) error) (*pendingLog, error) {
	mem, err := openMapped(path)
	if err != nil {
		return nil, pendingError(path, err)
	}
	h, next, err := mapfmt.ReplayPending(mem, f)
	if err != nil {
		return nil, errors.Join(pendingError(path, err), unmap(mem))
	}
	_, seed, err := mapfmt.DecodePendingHeader(mem)
	if err != nil {
		return nil, errors.Join(pendingError(path, err), unmap(mem))
	}
	return &pendingLog{mem: mem, header: *h, seed: seed, first: h.First, next: next, series: new(byte)}, nil
}

func pendingError(path string, err error) error {
	if isNoSpace(err) {
		err = fmt.Errorf("%w: %w", mapper.ErrNoSpace, err)
	}
	return fmt.Errorf("pending log %s: %w", path, err)
}

func (l *pendingLog) used() int { return int(l.next - l.first) }

func (l *pendingLog) isFull() bool { return l.used() >= int(l.header.Slots) }

// isHalfFull says that it is time to flush, so that the log is empty before it is full.
func (l *pendingLog) isHalfFull() bool { return l.used() >= int(l.header.Slots)/2 }

// append adds a record. Precondition: the log isn't full.
func (l *pendingLog) append(index int64, e *mapfmt.Entry) error {
	at := l.header.Offset(l.next)
	slot := l.mem[at : at : at+mapfmt.PendingRecordBytes]
	p := mapfmt.PendingRecord{Number: l.next, Index: index, Entry: *e}
	if _, err := mapfmt.AppendPendingRecord(slot, l.seed, &p); err != nil {
		return err
	}
	l.next++
	return nil
}

// trim forgets the records before first, in one store: the process may be killed before or after.
func (l *pendingLog) trim(first uint64) {
	storeWord(l.mem, mapfmt.PendingTrimOffset, mapfmt.TrimWord(first))
	l.first = first
}

func (l *pendingLog) close() error {
	mem := l.mem
	l.mem = nil
	return unmap(mem)
}

// logPath is where the pending log of a volume lies.
func (e *Engine) logPath(u mapfmt.UUID) string {
	return filepath.Join(e.cfg.PendingDir, mapfmt.PendingLogName(e.store.ID, u))
}

// newSuffix marks a file that isn't complete. Leftovers are written over.
const newSuffix = ".new"

// newLog makes an empty log for a volume, with its name beside it.
func (e *Engine) newLog(name string, h mapfmt.PendingHeader) (*pendingLog, error) {
	h.Store, h.BootID, h.Incarnation = e.store.ID, e.cfg.BootID, e.incarnation
	h.Slots = uint32(e.cfg.PendingSlots)
	path := e.logPath(h.Volume)
	// The name first: a log without a name couldn't be found again.
	if err := writeFile(path+mapfmt.PendingNameSuffix, []byte(name)); err != nil {
		return nil, pendingError(path, err)
	}
	return createLog(path, h)
}

// renameLog puts another name of the volume beside its log, if there is one.
func (e *Engine) renameLog(u mapfmt.UUID, name string) error {
	path := e.logPath(u)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return pendingError(path, err)
	}
	if err := writeFile(path+mapfmt.PendingNameSuffix, []byte(name)); err != nil {
		return pendingError(path, err)
	}
	return nil
}

// dropLog removes the log of a volume, and its name after it.
func (e *Engine) dropLog(u mapfmt.UUID) {
	path := e.logPath(u)
	for _, p := range []string{path, path + newSuffix, path + growSuffix, path + mapfmt.PendingNameSuffix} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.cfg.Log.Warn("pending log not removed", "path", p, "error", err)
		}
	}
}

// writeFile puts a small file in place whole.
func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path+newSuffix, data, 0o660); err != nil {
		return err
	}
	return os.Rename(path+newSuffix, path)
}
