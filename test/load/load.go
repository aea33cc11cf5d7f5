// Package load is a verified load: it writes stamped blocks and knows for each block which stamps
// a read may return, whatever was killed in between.
package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
)

// BlockSize is the unit of the load, in bytes.
const BlockSize = 4096

// Device is what the load runs on.
type Device interface {
	ReadAt(ctx context.Context, p []byte, off int64) error
	WriteAt(ctx context.Context, p []byte, off int64) error
	Flush(ctx context.Context) error
}

// Checker knows the state of each block of a device.
//
// A block's writes have rising stamps and never overlap each other. acked is the newest stamp that
// a finished write or an observation has established; any stamp in unsure was sent, and its answer
// never came, so it may be there or not. 0 = the block as it was at the beginning.
type Checker struct {
	Seed uint64 // tells devices apart, so that a block of another volume never checks
	// Spared is how many blocks at the end Run leaves alone; somebody else writes them.
	Spared int
	// Forgive (may be nil) says which errors of single operations Run goes on after. What a write
	// that failed so has left is unsure.
	Forgive func(error) bool
	blocks  []block
}

type block struct {
	mu     sync.Mutex // held during a write or a check of the block
	next   uint64
	acked  uint64
	unsure []uint64
	back   *rollback // one that is under way
}

// NewChecker returns a checker of n blocks that are as they were (all zeros).
func NewChecker(n int, seed uint64) *Checker {
	return &Checker{Seed: seed, blocks: make([]block, n)}
}

// Blocks returns the number of blocks.
func (c *Checker) Blocks() int { return len(c.blocks) }

// fill writes the content of block i at a stamp: a header with a checksum and a pattern, so that
// a torn or misplaced block shows.
func (c *Checker) fill(p []byte, i int, stamp uint64) {
	if stamp == 0 {
		clear(p)
		return
	}
	rng := rand.NewPCG(c.Seed^uint64(i), stamp)
	for at := 0; at < len(p); at += 8 {
		binary.LittleEndian.PutUint64(p[at:], rng.Uint64())
	}
	binary.LittleEndian.PutUint64(p[8:], c.Seed)
	binary.LittleEndian.PutUint64(p[16:], uint64(i))
	binary.LittleEndian.PutUint64(p[24:], stamp)
	binary.LittleEndian.PutUint64(p, uint64(crc32.ChecksumIEEE(p[8:])))
}

var errTorn = errors.New("neither zeros nor a whole block of the load")

// stamp reads the stamp of block i back.
func (c *Checker) stamp(p []byte, i int) (uint64, error) {
	if allZero(p) {
		return 0, nil
	}
	if binary.LittleEndian.Uint64(p) != uint64(crc32.ChecksumIEEE(p[8:])) {
		return 0, errTorn
	}
	seed, at := binary.LittleEndian.Uint64(p[8:]), binary.LittleEndian.Uint64(p[16:])
	if seed != c.Seed || at != uint64(i) {
		return 0, fmt.Errorf("holds block %d of device %#x", at, seed)
	}
	return binary.LittleEndian.Uint64(p[24:]), nil
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// Write writes a new stamp to block i and records what came of it.
func (c *Checker) Write(ctx context.Context, d Device, i int, buf []byte) error {
	b := &c.blocks[i]
	b.mu.Lock()
	defer b.mu.Unlock()
	// A write of this block that was given up because ctx ended may still be under way: another one
	// beside it could end before it.
	if err := ctx.Err(); err != nil {
		return err
	}
	b.next++
	stamp := b.next
	b.unsure = append(b.unsure, stamp)
	c.fill(buf, i, stamp)
	if err := d.WriteAt(ctx, buf, int64(i)*BlockSize); err != nil {
		return fmt.Errorf("write block %d: %w", i, err)
	}
	// The answer came: older writes whose answers never came must not show any more.
	b.establish(stamp)
	return nil
}

// Check reads block i and says whether what it holds is allowed; what it holds is then all that is
// allowed: a write that comes late would be seen by the next check.
func (c *Checker) Check(ctx context.Context, d Device, i int, buf []byte) error {
	b := &c.blocks[i]
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err // as in Write: what is read isn't what stays
	}
	if err := d.ReadAt(ctx, buf, int64(i)*BlockSize); err != nil {
		return fmt.Errorf("read block %d: %w", i, err)
	}
	stamp, err := c.stamp(buf, i)
	if err != nil {
		return &WrongError{i, err.Error()}
	}
	if !b.allows(stamp) {
		return &WrongError{i, fmt.Sprintf("stamp %d, allowed %d or one of %v", stamp, b.acked, b.unsure)}
	}
	b.establish(stamp)
	return nil
}

// establish notes that the block holds stamp, and nothing older any more: but a rollback that is
// under way may still come.
func (b *block) establish(stamp uint64) {
	b.acked, b.unsure = stamp, b.unsure[:0]
	if b.back != nil && b.back.to != stamp {
		b.unsure = append(b.unsure, b.back.to)
	}
}

// oldest is the least stamp that the block may hold.
func (b *block) oldest() uint64 {
	least := b.acked
	for _, s := range b.unsure {
		least = min(least, s)
	}
	return least
}

func (b *block) allows(stamp uint64) bool {
	if stamp == b.acked {
		return true
	}
	for _, s := range b.unsure {
		if s == stamp {
			return true
		}
	}
	return false
}

// WrongError says that a block holds what it must not hold: data was lost or mixed up.
type WrongError struct {
	Block int
	What  string
}

func (e *WrongError) Error() string { return fmt.Sprintf("block %d is wrong: %s", e.Block, e.What) }

// CheckAll checks every block.
func (c *Checker) CheckAll(ctx context.Context, d Device) error {
	buf := make([]byte, BlockSize)
	for i := range c.blocks {
		if err := c.Check(ctx, d, i, buf); err != nil {
			return err
		}
	}
	return nil
}
