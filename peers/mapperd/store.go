package mapperd

import (
	"errors"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// readAttempts: an object may be replaced between asking for its size and reading it; then what
// was read is cut or padded and doesn't check. Damage is what doesn't check each time.
const readAttempts = 3

// readObject reads a whole object of the map store and decodes it.
func readObject[T any](e *Engine, name string, decode func([]byte) (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		var v T
		data, err := e.readBytes(name)
		if err == nil {
			v, err = decode(data)
		}
		if err == nil || !isDamage(err) || attempt == readAttempts {
			return v, objectError(name, err)
		}
	}
}

func (e *Engine) readBytes(name string) ([]byte, error) {
	stat := blocker.Op{Kind: blocker.Stat, Name: name, Term: e.cfg.Term}
	if err := blocker.Do(e.cfg.Maps, &stat); err != nil {
		return nil, err
	}
	if stat.N > blocker.MaxAtomic {
		return nil, fmt.Errorf("%d bytes: %w", stat.N, mapfmt.ErrCorrupt)
	}
	read := blocker.Op{Kind: blocker.Read, Name: name, Data: make([]byte, stat.N), Term: e.cfg.Term}
	err := blocker.Do(e.cfg.Maps, &read)
	return read.Data, err
}

func isDamage(err error) bool {
	return errors.Is(err, mapfmt.ErrCorrupt) || errors.Is(err, mapfmt.ErrVersion) ||
		errors.Is(err, mapfmt.ErrOriginal)
}

// objectError gives an error of the store or of the format the name of the object, and makes it
// one of package mapper where there is one.
func objectError(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case isDamage(err):
		return fmt.Errorf("%w: object %s: %w", mapper.ErrCorrupt, name, err)
	case errors.Is(err, blocker.ErrNoSpace):
		return fmt.Errorf("%w: %w", mapper.ErrNoSpace, err)
	}
	return err
}

// replace writes a whole object of the map store, durably.
func (e *Engine) replace(volume mapfmt.UUID, name string, data []byte) error {
	return e.replaceAs(0, volume, name, data)
}

func (e *Engine) replaceAs(flags blocker.Flags, volume mapfmt.UUID, name string, data []byte) error {
	op := blocker.Op{
		Kind: blocker.Replace, Flags: flags, Volume: volume, Name: name, Data: data, Term: e.cfg.Term,
	}
	return objectError(name, blocker.Do(e.cfg.Maps, &op))
}

// create makes an object of the map store, durably; blocker.ErrExists if it is there.
func (e *Engine) create(volume mapfmt.UUID, name string, data []byte) error {
	op := blocker.Op{Kind: blocker.Create, Volume: volume, Name: name, Data: data, Term: e.cfg.Term}
	return objectError(name, blocker.Do(e.cfg.Maps, &op))
}

// remove deletes an object of the map store, durably; blocker.ErrNotFound if it isn't there.
func (e *Engine) remove(volume mapfmt.UUID, name string) error {
	op := blocker.Op{
		Kind: blocker.Delete, Flags: blocker.FlagFUA, Volume: volume, Name: name, Term: e.cfg.Term,
	}
	return objectError(name, blocker.Do(e.cfg.Maps, &op))
}

// doAll runs operations at the same time and returns their errors by position.
func (e *Engine) doAll(s blocker.Store, ops []*blocker.Op) []error {
	done := make(chan struct{}, len(ops))
	errs := make([]error, len(ops))
	for _, op := range ops {
		op.Term = e.cfg.Term
		op.Done = func(*blocker.Op) { done <- struct{}{} }
		s.Submit(op)
	}
	for range ops {
		<-done
	}
	for i, op := range ops {
		errs[i] = objectError(op.Name, op.Err)
	}
	return errs
}

// listPage is the size of the buffer for a page of names, in bytes.
const listPage = 64 << 10

// list calls f for every name in s with that prefix, in byte order, until f fails.
func (e *Engine) list(s blocker.Store, prefix string, f func(name string) error) error {
	op := blocker.Op{Kind: blocker.List, Name: prefix, Data: make([]byte, listPage), Term: e.cfg.Term}
	for {
		if err := blocker.Do(s, &op); err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		err := blocker.Names(op.Data[:op.N], func(name string) error {
			op.After = name
			return f(name)
		})
		if err != nil || !op.More {
			return err
		}
	}
}

// readRecord reads the record of a volume; mapper.ErrNotFound if there is none.
func (e *Engine) readRecord(name string) (*mapfmt.Record, error) {
	r, err := readObject(e, mapfmt.RecordName(name), mapfmt.DecodeRecord)
	if errors.Is(err, blocker.ErrNotFound) {
		return nil, mapper.ErrNotFound
	}
	return r, err
}

// writeRecord replaces the record of a volume.
func (e *Engine) writeRecord(name string, r *mapfmt.Record) error {
	data, err := mapfmt.EncodeRecord(r)
	if err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrArgument, err)
	}
	return e.replace(r.UUID, mapfmt.RecordName(name), data)
}

// createRecord makes the record of a new volume; blocker.ErrExists if the name is taken.
func (e *Engine) createRecord(name string, r *mapfmt.Record) error {
	data, err := mapfmt.EncodeRecord(r)
	if err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrArgument, err)
	}
	return e.create(r.UUID, mapfmt.RecordName(name), data)
}
