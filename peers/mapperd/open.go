package mapperd

import (
	"errors"
	"fmt"
	"io/fs"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// open makes a volume ready for I/O.
func (e *Engine) open(op *mapper.Op) error {
	wish := lockNone
	if op.Volume != (mapfmt.UUID{}) {
		wish = lockTry // it comes with the first I/O; by a name alone nobody writes yet
	}
	v, err := e.openRenamed(op.Name, op.Volume, wish)
	if err == nil {
		op.Info = v.info()
	}
	return err
}

// find returns the open volume of that UUID, and opens it by its name if need be.
func (e *Engine) find(u mapfmt.UUID, name string, wish lockWish) (*volume, error) {
	if v := e.lookup(u); v != nil {
		return v, nil
	}
	if name == "" {
		return nil, fmt.Errorf("volume %s isn't open: %w", mapfmt.FormatUUID(u), mapper.ErrStale)
	}
	return e.openRenamed(name, u, wish)
}

// openNamed opens the volume of that name; mapper.ErrStale if it isn't that UUID (zero: any).
func (e *Engine) openNamed(name string, want mapfmt.UUID, wish lockWish) (*volume, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	defer e.names.lock(name, "")()
	return e.openLocked(name, want, wish)
}

// openLocked is openNamed for callers that hold the lock of the name.
func (e *Engine) openLocked(name string, want mapfmt.UUID, wish lockWish) (*volume, error) {
	v, err := e.current(name)
	if err != nil {
		return nil, volumeError(name, "open", err)
	}
	if v == nil {
		if v, err = e.openFor(name, wish); err != nil {
			return nil, volumeError(name, "open", err)
		}
	}
	if want != (mapfmt.UUID{}) && v.uuid != want {
		return nil, volumeError(name, "open", fmt.Errorf("%w: is another volume now", mapper.ErrStale))
	}
	return v, nil
}

// current returns the open volume of that name, or nil. No lock keeps another node from renaming or
// removing a snapshot, so where there may be one the record is looked at. The lock of the name is
// held.
func (e *Engine) current(name string) (*volume, error) {
	v := e.lookupName(name)
	if v == nil || !e.isShared() || !v.isSnapshot() {
		return v, nil
	}
	rec, err := e.readRecord(name)
	if err != nil && !errors.Is(err, mapper.ErrNotFound) {
		return nil, err
	}
	if err == nil && rec.UUID == v.uuid && rec.Marks == nil {
		return v, nil
	}
	v.ctl.Lock()
	defer v.ctl.Unlock()
	v.freeze()
	v.retire()
	return nil, nil
}

// resume goes on where the predecessor of this process stopped: with its lock and its pending log.
func (v *volume) resume() error {
	lock, err := v.e.readLock(v.uuid)
	if err != nil {
		return err
	}
	v.generation = lock.generation
	ours := v.e.isOurs(lock)
	if err := v.replay(ours); err != nil {
		return err
	}
	v.owned = ours
	return nil
}

// replay brings the committed entries of the pending log back, if the log counts: then the map is
// what it was. A log of another generation was emptied before the lock moved on.
func (v *volume) replay(ours bool) error {
	var records []mapfmt.PendingRecord
	log, err := openLog(v.e.logPath(v.uuid), func(p *mapfmt.PendingRecord) error {
		records = append(records, *p)
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if ours {
			v.reportLoss("pending log is missing", err)
		}
		return nil
	case errors.Is(err, mapfmt.ErrCorrupt):
		if ours {
			v.reportLoss("pending log is corrupt", err)
		}
		v.e.dropLog(v.uuid)
		return nil
	case err != nil:
		return err
	}
	if !ours || !v.counts(&log.header) || v.e.cfg.faults.dropLog {
		if len(records) > 0 && log.header.BootID == v.e.cfg.BootID {
			v.reportLoss(fmt.Sprintf("pending log of %d entries is of another owner", len(records)), nil)
		}
		v.e.dropLog(v.uuid)
		return log.close()
	}
	v.log = log
	if len(records) > 0 {
		v.e.cfg.Log.Info("pending log of a predecessor replayed", "volume", v.name, "entries", len(records))
	}
	return v.apply(records)
}

// counts says whether a log is the one of the lock that this node holds. An older epoch counts: it
// was raised, and nothing was committed under the new one.
func (v *volume) counts(h *mapfmt.PendingHeader) bool {
	return h.Store == v.e.store.ID && h.Volume == v.uuid && h.BootID == v.e.cfg.BootID &&
		h.Incarnation == v.e.incarnation && h.Generation == v.generation && h.Epoch <= v.rec.Epoch
}

func (v *volume) reportLoss(what string, err error) {
	v.e.cfg.Log.Error(what+": writes that were acknowledged since the last flush may be lost",
		"volume", v.name, "uuid", mapfmt.FormatUUID(v.uuid), "error", err)
}

// apply puts the entries of the log into the map. They stay pending even where a chunk shows them
// already: it may do so from a page cache.
func (v *volume) apply(records []mapfmt.PendingRecord) error {
	for i := range records {
		p := &records[i]
		if p.Index >= v.objects() {
			return v.outOfRange(p.Index)
		}
		c, at, err := v.chunkFor(p.Index)
		if err != nil {
			return err
		}
		if err := v.set(c, at, &p.Entry); err != nil {
			return err
		}
	}
	// A log of an older epoch holds nothing that a new one must keep out, but its header is a
	// promise about what was committed under it: the next commit gets a log of its own.
	if v.log.header.Epoch != v.rec.Epoch {
		return v.persistOld(len(records))
	}
	return nil
}

// persistOld flushes what an older epoch left, and makes a log of the present one.
func (v *volume) persistOld(n int) error {
	if n > 0 {
		if err := v.flush(); err != nil {
			return err
		}
	}
	return v.replaceLog(v.generation)
}

// recover opens a volume, where a rename that was interrupted has taken it.
func (e *Engine) recover(name string, u mapfmt.UUID) error {
	_, err := e.openNamed(name, u, lockNone)
	m, moved := errors.AsType[*movingError](err)
	if !moved {
		return err
	}
	if err := e.finishMoveOf(m); err != nil {
		return err
	}
	_, err = e.openNamed(m.to, u, lockNone)
	return err
}

// Recover opens the volumes that a killed predecessor left with a pending log, so that they are
// found by UUID and flushed. A volume that can't be opened is reported and left as it is.
func (e *Engine) Recover() {
	names, err := e.logNames()
	if err != nil {
		e.cfg.Log.Error("pending logs can't be listed", "dir", e.cfg.PendingDir, "error", err)
	}
	for u, name := range names {
		err := e.recover(name, u)
		switch {
		case errors.Is(err, mapper.ErrNotFound), errors.Is(err, mapper.ErrStale):
			e.dropLog(u) // the volume was removed
		case err != nil:
			e.cfg.Log.Error("volume with a pending log can't be opened", "volume", name, "error", err)
		}
	}
}
