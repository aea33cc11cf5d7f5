package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

// there says whether a volume or snapshot exists.
func there(ctx context.Context, c *volume.Client, name string) (bool, error) {
	_, err := c.Info(ctx, name)
	if errors.Is(err, mapper.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// clearAway removes what is there of names, of which any may be gone.
func clearAway(ctx context.Context, c *volume.Client, names []string) error {
	for _, name := range names {
		ok, err := there(ctx, c, name)
		if err == nil && ok {
			err = c.Remove(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// churn makes, changes and removes small volumes.
type churn struct {
	rng    *rand.Rand
	number int
	used   []string // names of the present step
	steps  int
}

func (u *churn) names() []string { return nil }

func (u *churn) done() string { return fmt.Sprintf("%d families made and removed", u.steps) }

func (u *churn) settle(ctx context.Context, c *volume.Client) error {
	err := clearAway(ctx, c, u.used)
	if err == nil {
		u.used = nil
	}
	return err
}

func (u *churn) name(kind string) string {
	u.number++
	name := fmt.Sprint(kind, u.number)
	u.used = append(u.used, name)
	return name
}

// step makes a volume, a snapshot of it, a clone of that, renames it, removes what is above it,
// and checks every byte at each turn.
func (u *churn) step(ctx context.Context, c *volume.Client) error {
	u.used = nil
	origin, snap, clone, renamed := u.name("origin"), u.name("snap"), u.name("clone"), u.name("renamed")
	want := make([]byte, 4*objectSize)
	for i := range want[:len(want)/2] {
		want[i] = byte(u.rng.Uint32())
	}
	err := u.make(ctx, c, origin, want)
	if err == nil {
		_, err = c.Snapshot(ctx, origin, snap)
	}
	if err == nil {
		_, err = c.Clone(ctx, clone, snap, 0)
	}
	if err == nil {
		err = c.Remove(ctx, origin)
	}
	if err == nil {
		_, err = c.Rename(ctx, clone, renamed)
	}
	if err == nil {
		err = c.Remove(ctx, snap)
	}
	if err == nil {
		err = u.change(ctx, c, renamed, want)
	}
	if err == nil {
		err = c.Remove(ctx, renamed)
	}
	if err == nil {
		err = u.gone(ctx, c)
	}
	if err == nil {
		u.steps++
	}
	return err
}

func (u *churn) make(ctx context.Context, c *volume.Client, name string, data []byte) error {
	if _, err := c.Create(ctx, name, int64(len(data)), objectSize); err != nil {
		return err
	}
	v, err := c.Open(ctx, name)
	if err == nil {
		err = v.WriteAt(ctx, data, 0)
	}
	return err
}

// change compares a volume, changes a piece of it and compares it again.
func (u *churn) change(ctx context.Context, c *volume.Client, name string, want []byte) error {
	v, err := c.Open(ctx, name)
	if err != nil {
		return err
	}
	if err := compare(ctx, v, want); err != nil {
		return err
	}
	off, n := u.rng.IntN(len(want)/512)*512, 512*(1+u.rng.IntN(64))
	part := want[off:min(off+n, len(want))]
	for i := range part {
		part[i]++
	}
	if err := v.WriteAt(ctx, part, int64(off)); err != nil {
		return err
	}
	return compare(ctx, v, want)
}

// gone checks that nothing is left of a family.
func (u *churn) gone(ctx context.Context, c *volume.Client) error {
	for _, name := range u.used {
		if ok, err := there(ctx, c, name); err != nil || ok {
			return errors.Join(err, fmt.Errorf("%s was removed, and is there: %v", name, ok))
		}
	}
	return nil
}

func compare(ctx context.Context, v *volume.Volume, want []byte) error {
	got := make([]byte, len(want))
	if err := v.ReadAt(ctx, got, 0); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		for i := range got {
			if got[i] != want[i] {
				return fmt.Errorf("%s: byte %d is %d, want %d", v.Info().Name, i, got[i], want[i])
			}
		}
	}
	return nil
}
