package mapperd

import (
	"errors"
	"os"

	"archipelago/internal/mapfmt"
)

// growSuffix marks a larger log that isn't in place yet.
const growSuffix = ".grow"

// makeRoom makes room in a full log: by a larger one, because a flush takes as long as the disk
// takes, and writes wait for it; by a flush if it may not grow any more. It blocks.
func (v *volume) makeRoom() error {
	if v.hasRoom() || v.growLog() || v.hasRoom() {
		return nil
	}
	return v.flush()
}

func (v *volume) hasRoom() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.log == nil || !v.log.isFull()
}

// growLog puts a larger log in place of one that fills up; a volume that is written little keeps a
// small one. A flush may run: records keep their numbers. false: the log goes on as it is, because
// it is as large as may be, or there is no memory for it.
func (v *volume) growLog() bool {
	v.growing.Lock() // only one makes the file
	defer v.growing.Unlock()
	v.mu.Lock()
	old := v.log
	v.mu.Unlock()
	if old == nil || int(old.header.Slots) >= v.e.cfg.PendingMax {
		return false
	}
	path := v.e.logPath(v.uuid)
	h := old.header
	h.Slots = uint32(min(int(h.Slots)*pendingGrowth, v.e.cfg.PendingMax))
	larger, err := prepareLog(path+growSuffix, h)
	if err != nil {
		v.e.cfg.Log.Warn("pending log can't grow", "volume", v.name, "error", err)
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	// Another log was put in place meanwhile, or the volume was closed: nothing to grow.
	if v.log == old {
		if err = larger.takeOver(old, path); err == nil {
			v.log, larger = larger, old
		}
	}
	err = errors.Join(err, larger.close())
	grown := larger == old
	if !grown {
		err = errors.Join(err, os.Remove(path+growSuffix))
	}
	if err != nil {
		v.e.cfg.Log.Warn("pending log can't grow", "volume", v.name, "error", err)
	}
	return grown
}

// takeOver copies the records of old and takes its place under path. Until the file is renamed the
// old one is what a killed process leaves, and then this one: both hold the same.
func (l *pendingLog) takeOver(old *pendingLog, path string) error {
	l.next, l.series = old.first, old.series
	l.trim(old.first)
	for n := old.first; n < old.next; n++ {
		p, err := mapfmt.DecodePendingRecord(old.mem[old.header.Offset(n):], old.seed)
		if err != nil {
			return err
		}
		if err := l.append(p.Index, &p.Entry); err != nil {
			return err
		}
	}
	return os.Rename(path+growSuffix, path)
}
