package mapperd

import (
	"errors"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// Requests of an open volume carry its UUID and the name under which somebody opened it. After a
// rename that name is another's, or nobody's; as long as the volume is open it is found by its UUID,
// but after a restart of this process only its record knows the new name.

const (
	// missFor is how long a volume that wasn't found is believed to be gone. Clients of a removed
	// volume ask again and again, and each search reads all records.
	missFor = 10 * time.Second
	// missesKept bounds their number.
	missesKept = 1024
)

// openRenamed is openNamed for requests that name a volume by its UUID as well: it is opened under
// the name that it has now.
func (e *Engine) openRenamed(name string, u mapfmt.UUID, wish lockWish) (*volume, error) {
	v, err := e.openNamed(name, u, wish)
	if err == nil || u == (mapfmt.UUID{}) || !errors.Is(err, mapper.ErrNotFound) && !errors.Is(err, mapper.ErrStale) {
		return v, err
	}
	now, findErr := e.nameNow(u)
	if findErr != nil || now == "" || now == name {
		return nil, err
	}
	return e.openNamed(now, u, wish)
}

// nameNow returns the name of a volume, "" if it is gone.
func (e *Engine) nameNow(u mapfmt.UUID) (string, error) {
	if e.isMissing(u) {
		return "", nil
	}
	if buried, err := e.isBuried(u); err != nil || buried {
		return "", err
	}
	// Twice: a rename beside the first search may move the record from a name that is still to come
	// to one that has been looked at.
	for range 2 {
		if name, err := e.searchRecords(u); err != nil || name != "" {
			return name, err
		}
	}
	e.noteMissing(u)
	return "", nil
}

// searchRecords returns the name under which a volume has its record, "" if it wasn't met.
func (e *Engine) searchRecords(u mapfmt.UUID) (found string, err error) {
	err = e.list(e.cfg.Maps, mapfmt.RecordPrefix, func(object string) error {
		name, err := mapfmt.ParseRecordName(object)
		if err != nil || e.ctx.Err() != nil {
			return e.ctx.Err()
		}
		rec, err := e.readRecord(name)
		if err == nil && rec.UUID == u {
			found = name
			return errFound
		}
		return nil // removed meanwhile, or damaged: whoever wants that one is told
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}

// errFound ends a search.
var errFound = errors.New("found")

// isBuried says whether the volume has a tombstone: a removed one needs no search.
func (e *Engine) isBuried(u mapfmt.UUID) (buried bool, err error) {
	err = e.list(e.cfg.Maps, mapfmt.TombstoneVolumePrefix(u), func(string) error {
		buried = true
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return buried, err
}

func (e *Engine) isMissing(u mapfmt.UUID) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	since, ok := e.missing[u]
	return ok && time.Since(since) < missFor
}

func (e *Engine) noteMissing(u mapfmt.UUID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.missing == nil || len(e.missing) >= missesKept {
		e.missing = map[mapfmt.UUID]time.Time{}
	}
	e.missing[u] = time.Now()
}
