package mapperd

import (
	"errors"
	"os"

	"archipelago/internal/mapfmt"
)

// growSuffix marks a larger log that isn't in place yet.
const growSuffix = ".grow"

// growLog puts a larger log in place of one that fills up often; a volume that is written little
// keeps a small one. It is called by the running flush. If there is no memory for it, the old log
// goes on.
func (v *volume) growLog() {
	v.mu.Lock()
	old := v.log
	v.mu.Unlock()
	if old == nil {
		return
	}
	path := v.e.logPath(v.uuid)
	h := old.header
	h.Slots = uint32(min(int(h.Slots)*pendingGrowth, v.e.cfg.PendingMax))
	larger, err := prepareLog(path+growSuffix, h)
	if err != nil {
		v.e.cfg.Log.Warn("pending log can't grow", "volume", v.name, "error", err)
		return
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
	if larger != old {
		err = errors.Join(err, os.Remove(path+growSuffix))
	}
	if err != nil {
		v.e.cfg.Log.Warn("pending log can't grow", "volume", v.name, "error", err)
	}
}

// takeOver copies the records of old and takes its place under path. Until the file is renamed the
// old one is what a killed process leaves, and then this one: both hold the same.
func (l *pendingLog) takeOver(old *pendingLog, path string) error {
	l.next = old.first
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
