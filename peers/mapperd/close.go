package mapperd

import (
	"errors"
	"sync"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// close flushes a volume, gives its lock back and forgets it. What isn't open, or isn't there, is
// closed.
func (e *Engine) close(op *mapper.Op) error {
	name := op.Name
	if v := e.lookup(op.Volume); v != nil {
		name = v.name
	}
	if name == "" {
		return nil
	}
	if err := checkName(name); err != nil {
		return err
	}
	defer e.names.lock(name, "")()
	// A predecessor may have left it locked and with a pending log, so it is opened to be closed.
	v, err := e.openLocked(name, op.Volume, lockNone)
	if errors.Is(err, mapper.ErrNotFound) || errors.Is(err, mapper.ErrStale) {
		return nil
	}
	if err != nil {
		return err
	}
	return volumeError(name, "close", v.shut())
}

// shut ends the use of the volume: flush, release, forget. The lock of the name is held.
func (v *volume) shut() error {
	v.ctl.Lock()
	defer v.ctl.Unlock()
	v.freeze()
	err := v.flush()
	if errors.Is(err, errClosed) {
		return nil
	}
	if err == nil {
		err = v.release()
	}
	if err != nil {
		v.thaw()
		return err
	}
	v.retire()
	v.e.dropLog(v.uuid)
	v.e.cfg.Log.Info("volume closed", "volume", v.name, "uuid", mapfmt.FormatUUID(v.uuid))
	return nil
}

// CloseVolumes closes every open volume, as at an orderly end of the node: everything acknowledged
// is durable afterwards, and another node can use the store. It returns what failed; those volumes
// keep their locks and pending logs.
func (e *Engine) CloseVolumes() error {
	var (
		mu   sync.Mutex
		all  error
		wait sync.WaitGroup
		room = make(chan struct{}, closeAtOnce)
	)
	for _, v := range e.openVolumes() {
		room <- struct{}{}
		wait.Go(func() {
			err := e.close(&mapper.Op{Kind: mapper.Close, Volume: v.uuid, Name: v.name})
			mu.Lock()
			all = errors.Join(all, err)
			mu.Unlock()
			<-room
		})
	}
	wait.Wait()
	return all
}

// closeAtOnce is how many volumes are closed at the same time. Tuning.
const closeAtOnce = 16

// describable reads the record of a volume. A member of a group of snapshots that is being made is
// shown as what it is.
func (e *Engine) describable(name string) (*mapfmt.Record, error) {
	rec, err := e.readRecord(name)
	if err == nil {
		if m, pending := rec.Mark(mapfmt.FlagPending); pending && isMember(m) && e.isBeingMade(m.ID) {
			return rec, nil
		}
	}
	return e.liveRecord(name)
}

// info describes a volume.
func (e *Engine) info(op *mapper.Op) error {
	if err := checkName(op.Name); err != nil {
		return err
	}
	if v := e.lookupName(op.Name); v != nil && !e.isShared() {
		op.Info = v.info()
		return nil
	}
	defer e.names.lock(op.Name, "")()
	if v, err := e.current(op.Name); err != nil || v != nil {
		if err == nil {
			op.Info = v.info()
		}
		return volumeError(op.Name, "info", err)
	}
	rec, err := e.describable(op.Name)
	var lock lockState
	if err == nil && rec.Flags&mapfmt.FlagReadOnly == 0 {
		lock, err = e.readLock(rec.UUID)
	}
	if err != nil {
		return volumeError(op.Name, "info", err)
	}
	op.Info = makeInfo(e, op.Name, rec, e.isOurs(lock), lock.generation)
	if !lock.isFree() {
		op.Info.Owner = lock.content.Node
	}
	return nil
}
