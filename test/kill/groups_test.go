package kill

import (
	"context"
	"errors"
	"fmt"

	"archipelago/internal/volume"
	"archipelago/peers/mapper"
	"archipelago/test/load"
)

// groups makes snapshots of two volumes at one moment, checks and clones them, and removes them.
type groups struct {
	left, right *disk
	number      int
	made, stale int

	// The present step.
	snaps  [2]string
	clone  string
	low    [2][]uint64
	making bool // both snapshots must be there, or none
}

func (g *groups) names() []string { return nil }

func (g *groups) done() string {
	return fmt.Sprintf("%d snapshots of groups; %d given up because their freezes didn't last", g.made, g.stale)
}

func (g *groups) disks() [2]*disk { return [2]*disk{g.left, g.right} }

func (g *groups) settle(ctx context.Context, c *volume.Client) error {
	if g.snaps[0] == "" {
		return nil
	}
	if g.making {
		if _, err := g.judge(ctx, c); err != nil {
			return err
		}
		g.making = false
	}
	err := clearAway(ctx, c, []string{g.clone, g.snaps[0], g.snaps[1]})
	if err == nil {
		g.snaps = [2]string{}
	}
	return err
}

// judge checks that both snapshots are there and lie at one moment, or that none is.
func (g *groups) judge(ctx context.Context, c *volume.Client) (exist bool, err error) {
	var is [2]bool
	for i, name := range g.snaps {
		if is[i], err = there(ctx, c, name); err != nil {
			return false, err
		}
	}
	if is[0] != is[1] {
		return false, fmt.Errorf("half a group: %s %v, %s %v", g.snaps[0], is[0], g.snaps[1], is[1])
	}
	if !is[0] {
		return false, nil
	}
	_, err = g.check(ctx, c)
	return true, err
}

// check checks what both snapshots hold, and returns that of the first.
func (g *groups) check(ctx context.Context, c *volume.Client) ([]uint64, error) {
	var got [2][]uint64
	for i, d := range g.disks() {
		v, err := c.Open(ctx, g.snaps[i])
		if err == nil {
			got[i], err = d.checker.CheckSnapshot(ctx, v, load.Bounds{Low: g.low[i], High: d.checker.High()})
		}
		if err != nil {
			return nil, fmt.Errorf("snapshot %s of %s: %w", g.snaps[i], d.name, err)
		}
	}
	for i := diskBlocks - chains; i < diskBlocks; i++ {
		if got[0][i] < got[1][i] {
			return nil, fmt.Errorf("snapshots %v are not of one moment: block %d has stamp %d, and then %d",
				g.snaps, i, got[0][i], got[1][i])
		}
	}
	return got[0], nil
}

func (g *groups) step(ctx context.Context, c *volume.Client) error {
	g.number++
	g.snaps = [2]string{fmt.Sprint("group-left", g.number), fmt.Sprint("group-right", g.number)}
	g.clone = fmt.Sprint("group-clone", g.number)
	g.low = [2][]uint64{g.left.checker.Low(), g.right.checker.Low()}
	g.making = true
	_, err := c.SnapshotGroup(ctx, []volume.Member{
		{Volume: g.left.name, Snapshot: g.snaps[0]}, {Volume: g.right.name, Snapshot: g.snaps[1]}})
	if errors.Is(err, mapper.ErrStale) {
		// The storm ended its freezes over and over: then none may be there.
		g.stale++
		exist, err := g.judge(ctx, c)
		if exist {
			return fmt.Errorf("a group that failed is there: %v", g.snaps)
		}
		return err
	}
	if err != nil {
		return err
	}
	held, err := g.check(ctx, c)
	if err != nil {
		return err
	}
	g.making = false
	g.made++
	return g.use(ctx, c, held)
}

// use makes a clone of the first snapshot, removes the snapshots under it, and works on it.
func (g *groups) use(ctx context.Context, c *volume.Client, held []uint64) error {
	if _, err := c.Clone(ctx, g.clone, g.snaps[0], 0); err != nil {
		return err
	}
	for _, name := range g.snaps {
		if err := c.Remove(ctx, name); err != nil {
			return err
		}
	}
	v, err := c.Open(ctx, g.clone)
	if err != nil {
		return err
	}
	fork, buf := g.left.checker.Fork(held), make([]byte, load.BlockSize)
	for i := 0; i < diskBlocks; i += 37 {
		if err := fork.Write(ctx, v, i, buf); err != nil {
			return err
		}
	}
	if _, err := fork.CheckSnapshot(ctx, v, load.Bounds{Low: fork.Low(), High: fork.Low()}); err != nil {
		return fmt.Errorf("clone %s: %w", g.clone, err)
	}
	return c.Remove(ctx, g.clone)
}
