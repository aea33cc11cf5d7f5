package load

import (
	"context"
	"fmt"
)

// Bounds is what a snapshot may hold, block by block: stamps from Low to High.
type Bounds struct{ Low, High []uint64 }

// Low notes the oldest stamp that each block may hold: call it before the snapshot is asked for.
func (c *Checker) Low() []uint64 {
	return c.stamps((*block).oldest)
}

// High notes the newest stamp sent of each block: call it after the snapshot was answered.
func (c *Checker) High() []uint64 {
	return c.stamps(func(b *block) uint64 { return b.next })
}

func (c *Checker) stamps(get func(*block) uint64) []uint64 {
	all := make([]uint64, len(c.blocks))
	for i := range c.blocks {
		c.blocks[i].mu.Lock()
		all[i] = get(&c.blocks[i])
		c.blocks[i].mu.Unlock()
	}
	return all
}

// CheckSnapshot checks that every block of a snapshot lies within its bounds, and returns what it
// holds: a later check passes it as both bounds.
func (c *Checker) CheckSnapshot(ctx context.Context, d Device, bounds Bounds) ([]uint64, error) {
	got := make([]uint64, len(c.blocks))
	err := c.scan(ctx, d, func(i int, stamp uint64) error {
		if stamp < bounds.Low[i] || stamp > bounds.High[i] {
			return &WrongError{i, fmt.Sprintf("stamp %d, allowed %d to %d", stamp, bounds.Low[i], bounds.High[i])}
		}
		got[i] = stamp
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// scanBlocks is how many blocks are read at once where nobody writes.
const scanBlocks = 64

// scan calls f for the stamp of each block of a device that nobody writes to.
func (c *Checker) scan(ctx context.Context, d Device, f func(i int, stamp uint64) error) error {
	buf := make([]byte, scanBlocks*BlockSize)
	for first := 0; first < len(c.blocks); first += scanBlocks {
		n := min(scanBlocks, len(c.blocks)-first)
		if err := d.ReadAt(ctx, buf[:n*BlockSize], int64(first)*BlockSize); err != nil {
			return fmt.Errorf("read %d blocks from %d: %w", n, first, err)
		}
		for i := range n {
			stamp, err := c.stamp(buf[i*BlockSize:(i+1)*BlockSize], first+i)
			if err != nil {
				return &WrongError{first + i, err.Error()}
			}
			if err := f(first+i, stamp); err != nil {
				return err
			}
		}
	}
	return nil
}

// Fork returns a checker for a clone of a snapshot that holds the given stamps: it knows these
// blocks, written under the same seed, as the clone's own.
func (c *Checker) Fork(stamps []uint64) *Checker {
	f := NewChecker(len(stamps), c.Seed)
	for i, s := range stamps {
		// New stamps of the clone start far above, so that a block that leaks from the origin
		// into the clone, or back, never has an allowed stamp.
		f.blocks[i].acked, f.blocks[i].next = s, s+1<<32
	}
	return f
}
