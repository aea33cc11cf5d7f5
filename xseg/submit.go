package xseg

import (
	"context"
	"fmt"
	"syscall"

	"archipelago/xseg/internal/shm"
)

// Submit publishes the request and wakes the server. Any goroutine.
func (k *Call) Submit() {
	if c := k.ch; c.push(k, shm.Monotonic()) && c.loop.seg.wake(c.waiter.Load()) {
		c.entry.Counters.Wakes.Add(1)
	}
}

// SubmitOnLoop is Submit for callbacks on the loop: the server is woken at the end of the batch.
func (k *Call) SubmitOnLoop() {
	if c := k.ch; c.push(k, c.loop.now) {
		c.loop.wakes.add(c.waiter.Load())
	}
}

// push publishes a call; false if there is nobody to wake. While the server is away requests
// gather in the ring: it can't overflow, and the successor gets them.
func (c *Channel) push(k *Call, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.phase.Load() != callHeld || k.stuck {
		panic(fmt.Sprintf("xseg: Submit of a call in phase %d", k.phase.Load()))
	}
	k.submittedAt = now
	if c.failed {
		c.loop.Post(func() { c.failCall(k) })
		return false
	}
	c.publish(k)
	c.entry.Counters.InFlight.Add(1)
	return c.connected.Load()
}

// publish hands the call's slot over under a new generation. Under mu.
func (c *Channel) publish(k *Call) {
	k.generation++
	k.fill()
	k.ringAt = c.tail
	k.phase.Store(callFlying)
	c.view.Publish(k.slot, k.generation, c.tail)
	c.tail++
}

// failCall ends a call that was submitted while there is no server. Loop.
func (c *Channel) failCall(k *Call) {
	k.errno, k.serviced, k.payloadLen = syscall.EHOSTDOWN, 0, 0
	c.entry.Counters.Errors.Add(1)
	k.deliver()
}

// harvest takes completions; false if there were none. Loop.
func (c *Channel) harvest() bool {
	if !c.view.AnyDone() {
		return false
	}
	c.view.Completed(c.complete)
	return true
}

// finish takes the reply of one slot. That its bit was set is only a hint: the call must be out,
// and the slot must hold the answer to its present generation. Loop.
func (c *Channel) finish(slot uint32) {
	k := &c.calls[slot]
	phase := k.phase.Load()
	if phase != callFlying && phase != callAbandoned || !c.view.IsDone(slot, k.generation) {
		c.entry.Counters.Errors.Add(1)
		return
	}
	if phase == callFlying {
		k.readReply()
		if k.phase.CompareAndSwap(callFlying, callHeld) {
			c.count(k)
			k.deliver()
			return
		}
	}
	c.entry.Counters.InFlight.Add(^uint64(0))
	c.mu.Lock()
	tell := c.release(k) // abandoned: the answer was all that it waited for
	c.mu.Unlock()
	if tell {
		c.tellRoom()
	}
}

func (c *Channel) count(k *Call) {
	c.entry.Counters.InFlight.Add(^uint64(0))
	countEnd(&c.entry.Counters, k.Op, k.errno != 0, k.serviced, c.loop.now-k.submittedAt)
}

// deliver gives an ended call to its user. Loop.
func (k *Call) deliver() {
	switch {
	case k.waiting:
		k.done <- struct{}{}
	case k.Done != nil:
		k.Done(k)
	default:
		k.Put()
	}
}

// Do submits and waits for the reply. Not on the loop. If ctx ends first the call is cancelled if
// no server has begun it, else its slot is quarantined until the answer; either way Do puts it
// back by itself and returns ctx's error. It returns nil whatever the reply's errno is; the
// caller then puts the call back. ErrClosed, likewise, when the loop is closed meanwhile.
func (k *Call) Do(ctx context.Context) error {
	if k.done == nil {
		k.done = make(chan struct{}, 1)
	}
	k.waiting = true
	k.Submit()
	select {
	case <-k.done:
		return nil
	case <-ctx.Done():
		return k.abandon(ctx.Err())
	case <-k.ch.ctx.Done():
		return k.abandon(fmt.Errorf("channel to port %d: %w", k.ch.dst, ErrClosed))
	}
}

// abandon gives a submitted call up, unless it has ended after all.
func (k *Call) abandon(cause error) error {
	c := k.ch
	if c.giveUp(k) {
		return cause
	}
	<-k.done // the loop has ended it and is about to say so
	return nil
}

// giveUp moves a flying call to cancelled or abandoned; false if it isn't flying any more.
func (c *Channel) giveUp(k *Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.phase.Load() != callFlying {
		return false
	}
	if c.view.Cancel(k.slot, k.generation) {
		// Not free yet: a ring entry of it that nobody has read must not be joined by another.
		k.phase.Store(callCancelled)
		c.cancelled++
		c.entry.Counters.InFlight.Add(^uint64(0))
		return true
	}
	return k.phase.CompareAndSwap(callFlying, callAbandoned)
}
