package audit

import (
	"errors"
	"fmt"
	"sync"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

const (
	// listPage is the size of the buffer for a page of names, in bytes. Tuning.
	listPage = 32 << 10
	// readAttempts: an object may be replaced between asking for its size and reading it; then what
	// was read is cut or padded and doesn't check. Damage is what doesn't check each time.
	readAttempts = 3
)

// list calls f for every name in s with that prefix, in byte order, until f fails. f may list, too.
func (c *check) list(stage Stage, s blocker.Store, prefix string, f func(name string) error) error {
	data := pages.Get().(*[listPage]byte)
	defer pages.Put(data)
	op := blocker.Op{Kind: blocker.List, Name: prefix, Data: data[:], Term: c.Term}
	for {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := blocker.Do(s, &op); err != nil {
			return fmt.Errorf("list %q: %w", prefix, err)
		}
		err := blocker.Names(op.Data[:op.N], func(name string) error {
			op.After = name
			return f(name)
		})
		if err != nil {
			return err
		}
		c.progress(stage, op.After)
		if !op.More {
			return nil
		}
	}
}

// pages are the buffers of listings.
var pages = sync.Pool{New: func() any { return new([listPage]byte) }}

func (c *check) progress(stage Stage, object string) {
	c.enterStage(stage)
	if c.Progress != nil {
		c.stage.Object, c.stage.Pass = object, max(c.sum.Passes, 1)
		c.Progress(c.stage)
	}
}

func (c *check) enterStage(stage Stage) {
	if c.stage.Stage != stage {
		c.stage = Progress{Stage: stage}
	}
}

// looked counts a name for the progress.
func (c *check) looked(stage Stage) error {
	c.enterStage(stage)
	c.stage.Names++
	return c.ctx.Err()
}

// read reads a whole object of the map blocker and decodes it.
func read[T any](c *check, name string, decode func([]byte) (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		var v T
		data, err := c.readBytes(name)
		if err != nil {
			return v, err
		}
		v, err = decode(data)
		if err == nil || attempt == readAttempts {
			return v, err
		}
	}
}

func (c *check) readBytes(name string) ([]byte, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	size, _, err := c.stat(c.Maps, name)
	if err != nil {
		return nil, err
	}
	if size > blocker.MaxAtomic {
		return nil, fmt.Errorf("%d bytes are more than %d: %w", size, blocker.MaxAtomic, mapfmt.ErrCorrupt)
	}
	if int64(cap(c.buffer)) < size {
		c.buffer = make([]byte, size)
	}
	// One buffer for all: decoders keep nothing of it.
	op := blocker.Op{Kind: blocker.Read, Name: name, Data: c.buffer[:size], Term: c.Term}
	err = blocker.Do(c.Maps, &op)
	return op.Data, err
}

// stat returns size and allocated bytes of an object.
func (c *check) stat(s blocker.Store, name string) (size, allocated int64, err error) {
	op := blocker.Op{Kind: blocker.Stat, Name: name, Term: c.Term}
	err = blocker.Do(s, &op)
	return op.N, op.Allocated, err
}

// record reads the record of a volume.
func (c *check) record(name string) (*mapfmt.Record, error) {
	return read(c, mapfmt.RecordName(name), mapfmt.DecodeRecord)
}

func isMissing(err error) bool { return errors.Is(err, blocker.ErrNotFound) }
