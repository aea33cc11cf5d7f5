package load

import (
	"context"
	"fmt"
)

// rollback is what is known of one block while its volume is rolled back.
type rollback struct {
	to    uint64 // the stamp that it goes back to
	mark  uint64 // the newest stamp sent before
	alike bool   // it may have held that stamp before: then to find it says nothing
}

// BeginRollback notes that the device will be as a snapshot that holds these stamps, at some moment
// from now on: call it before the rollback is asked for. Writes go on beside it.
func (c *Checker) BeginRollback(stamps []uint64) {
	for i := range c.blocks {
		b := &c.blocks[i]
		b.mu.Lock() // waits for the write that is under way: it comes before the rollback
		b.back = &rollback{to: stamps[i], mark: b.next, alike: b.allows(stamps[i])}
		if !b.back.alike {
			b.unsure = append(b.unsure, stamps[i])
		}
		b.mu.Unlock()
	}
}

// EndRollback notes that the rollback was done: a block holds the snapshot's stamp, or one that was
// written since the rollback began.
func (c *Checker) EndRollback() {
	c.eachRolled(func(b *block) {
		if b.acked > b.back.mark {
			return
		}
		newer := b.unsure[:0]
		for _, s := range b.unsure {
			if s > b.back.mark {
				newer = append(newer, s)
			}
		}
		b.acked, b.unsure = b.back.to, newer
	})
}

func (c *Checker) eachRolled(f func(*block)) {
	for i := range c.blocks {
		b := &c.blocks[i]
		b.mu.Lock()
		if b.back != nil {
			f(b)
			b.back = nil
		}
		b.mu.Unlock()
	}
}

// SettleRollback finds out what became of a rollback whose answer never came: it must have happened
// to the whole device or not at all. Precondition: nobody writes meanwhile.
func (c *Checker) SettleRollback(ctx context.Context, d Device) (happened bool, err error) {
	yes, no := -1, -1
	err = c.scan(ctx, d, func(i int, stamp uint64) error {
		b := &c.blocks[i]
		if b.back == nil || b.next > b.back.mark {
			return nil // written since: says nothing
		}
		if stamp == b.back.to && !b.back.alike {
			yes = i
		} else if stamp != b.back.to {
			no = i
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if yes >= 0 && no >= 0 {
		return false, &WrongError{yes, fmt.Sprintf("rolled back, but block %d is not", no)}
	}
	if yes >= 0 {
		c.EndRollback()
	}
	// What remains unsure then is what every block was allowed to hold before, or the same stamp.
	c.eachRolled(func(*block) {})
	return yes >= 0, nil
}
