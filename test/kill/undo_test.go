package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"archipelago/internal/volume"
	"archipelago/test/load"
)

const (
	backSize = diskBlocks * load.BlockSize
	tailSize = 3*objectSize + 4096
	maxSnaps = 3
)

// undo snapshots a volume under load, rolls it back, and makes it larger and smaller.
type undo struct {
	of    *disk
	rng   *rand.Rand
	snaps map[string][]uint64 // what each holds

	number                      int
	rollbacks, resizes, removes int
	making                      string // a snapshot whose answer hasn't come
	removing                    string
	low                         []uint64
	rolling, resizing           bool
}

func (u *undo) names() []string { return slices.Collect(maps.Keys(u.snaps)) }

func (u *undo) done() string {
	return fmt.Sprintf("%d snapshots, %d rollbacks, %d times larger and smaller, %d removed",
		u.number, u.rollbacks, u.resizes, u.removes)
}

func (u *undo) step(ctx context.Context, c *volume.Client) error {
	name := u.any()
	switch n := u.rng.IntN(10); {
	case n < 4 && len(u.snaps) < maxSnaps:
		return u.snapshot(ctx, c)
	case n < 6 && name != "":
		return u.rollback(ctx, c, name)
	case n < 8 && name != "":
		return u.remove(ctx, c, name)
	default:
		return u.resize(ctx, c)
	}
}

// any returns one of the snapshots; "" if there is none.
func (u *undo) any() string {
	if len(u.snaps) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(u.snaps))
	return names[u.rng.IntN(len(names))]
}

func (u *undo) snapshot(ctx context.Context, c *volume.Client) error {
	u.number++
	u.low, u.making = u.of.checker.Low(), fmt.Sprint("back", u.number)
	if _, err := c.Snapshot(ctx, u.of.name, u.making); err != nil {
		return err
	}
	return u.keep(ctx, c)
}

// keep reads the snapshot that was made.
func (u *undo) keep(ctx context.Context, c *volume.Client) error {
	v, err := c.Open(ctx, u.making)
	if err != nil {
		return err
	}
	held, err := u.of.checker.CheckSnapshot(ctx, v, load.Bounds{Low: u.low, High: u.of.checker.High()})
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", u.making, err)
	}
	u.snaps[u.making], u.making = held, ""
	return nil
}

// same checks that a snapshot holds what it held.
func (u *undo) same(ctx context.Context, c *volume.Client, name string) error {
	v, err := c.Open(ctx, name)
	if err == nil {
		held := u.snaps[name]
		_, err = u.of.checker.CheckSnapshot(ctx, v, load.Bounds{Low: held, High: held})
	}
	if err != nil {
		return fmt.Errorf("snapshot %s has changed: %w", name, err)
	}
	return nil
}

func (u *undo) rollback(ctx context.Context, c *volume.Client, name string) error {
	u.rolling = true
	u.of.checker.BeginRollback(u.snaps[name])
	if _, err := c.Rollback(ctx, u.of.name, name); err != nil {
		return err
	}
	u.of.checker.EndRollback()
	u.rolling = false
	u.rollbacks++
	return u.same(ctx, c, name)
}

func (u *undo) remove(ctx context.Context, c *volume.Client, name string) error {
	if err := u.same(ctx, c, name); err != nil {
		return err
	}
	u.removing = name
	if err := c.Remove(ctx, name); err != nil {
		return err
	}
	return u.removed(ctx, c)
}

func (u *undo) removed(ctx context.Context, c *volume.Client) error {
	name := u.removing
	ok, err := there(ctx, c, name)
	if err == nil && ok {
		err = fmt.Errorf("%s was removed, and is there", name)
	}
	if err != nil {
		return err
	}
	delete(u.snaps, name)
	u.removing = ""
	u.removes++
	return nil
}

// resize makes the volume larger, writes to its new end, and makes it smaller again: what was cut
// off once never comes back.
func (u *undo) resize(ctx context.Context, c *volume.Client) error {
	u.resizing = true
	if err := u.sized(ctx, c, backSize+tailSize); err != nil {
		return err
	}
	v, err := c.Open(ctx, u.of.name)
	if err != nil {
		return err
	}
	tail := make([]byte, tailSize)
	if err := v.ReadAt(ctx, tail, backSize); err != nil {
		return err
	}
	if i := bytes.IndexFunc(tail, func(r rune) bool { return r != 0 }); i >= 0 {
		return fmt.Errorf("%s: byte %d of what a resize has added isn't zero", u.of.name, i)
	}
	if err := v.WriteAt(ctx, bytes.Repeat([]byte{0xaa}, tailSize), backSize); err != nil {
		return err
	}
	if err := u.sized(ctx, c, backSize); err != nil {
		return err
	}
	u.resizing = false
	u.resizes++
	return nil
}

func (u *undo) sized(ctx context.Context, c *volume.Client, size int64) error {
	if _, err := c.Resize(ctx, u.of.name, size); err != nil {
		return err
	}
	info, err := c.Info(ctx, u.of.name)
	if err == nil && info.Size != size {
		err = fmt.Errorf("%s has %d bytes after a resize to %d", u.of.name, info.Size, size)
	}
	return err
}

func (u *undo) settle(ctx context.Context, c *volume.Client) error {
	return errors.Join(u.settleMaking(ctx, c), u.settleRemoving(ctx, c), u.settleSize(ctx, c), u.settleRolling(ctx, c))
}

func (u *undo) settleMaking(ctx context.Context, c *volume.Client) error {
	if u.making == "" {
		return nil
	}
	ok, err := there(ctx, c, u.making)
	if err == nil && ok {
		return u.keep(ctx, c)
	}
	u.making = ""
	return err
}

func (u *undo) settleRemoving(ctx context.Context, c *volume.Client) error {
	if u.removing == "" {
		return nil
	}
	ok, err := there(ctx, c, u.removing)
	if err == nil && ok {
		name := u.removing
		u.removing = ""
		return u.same(ctx, c, name)
	}
	if err != nil {
		return err
	}
	return u.removed(ctx, c)
}

func (u *undo) settleSize(ctx context.Context, c *volume.Client) error {
	if !u.resizing {
		return nil
	}
	info, err := c.Info(ctx, u.of.name)
	if err != nil {
		return err
	}
	if info.Size != backSize && info.Size != backSize+tailSize {
		return fmt.Errorf("%s has %d bytes: neither before nor after a resize", u.of.name, info.Size)
	}
	if err := u.sized(ctx, c, backSize); err != nil {
		return err
	}
	u.resizing = false
	return nil
}

func (u *undo) settleRolling(ctx context.Context, c *volume.Client) error {
	if !u.rolling {
		return nil
	}
	v, err := c.Open(ctx, u.of.name)
	if err == nil {
		_, err = u.of.checker.SettleRollback(ctx, v)
	}
	if err != nil {
		return fmt.Errorf("%s: a rollback without an answer: %w", u.of.name, err)
	}
	u.rolling = false
	return nil
}
