package xseg

import (
	"context"
	"fmt"
	"syscall"

	"archipelago/xseg/internal/shm"
)

// Submit publishes the request and wakes the server. Any goroutine.
func (k *Call) Submit() {
	c := k.ch
	k.submittedAt = shm.Monotonic()
	c.mu.Lock()
	c.push(k)
	c.publish()
	c.mu.Unlock()
	if c.connected.Load() && c.loop.seg.wake(c.waiter.Load()) {
		c.entry.Counters.Wakes.Add(1)
	}
}

// SubmitOnLoop is Submit for callbacks on the loop: the request is published at the end of the
// batch, or a few submissions later.
func (k *Call) SubmitOnLoop() {
	c := k.ch
	k.submittedAt = c.loop.now
	if len(c.queued) == 0 {
		c.loop.unsubmitted = append(c.loop.unsubmitted, c)
	}
	c.queued = append(c.queued, k)
	if len(c.queued)%stageMax == 0 {
		c.pushQueued()
	}
}

// pushQueued publishes what was submitted on the loop and isn't out yet. Loop.
func (c *Channel) pushQueued() {
	c.mu.Lock()
	for _, k := range c.queued[c.pushed:] {
		c.push(k)
	}
	c.pushed = len(c.queued)
	c.publish()
	c.mu.Unlock()
}

// publish hands over what was staged. Under mu.
func (c *Channel) publish() {
	if !c.closed {
		c.view.Publish(c.tail)
	}
}

// flush ends a batch: everything is published, and the server is to be woken. While it is away
// requests gather in the ring, which can't overflow, and the successor gets them.
func (c *Channel) flush() {
	c.pushQueued()
	clear(c.queued)
	c.queued, c.pushed = c.queued[:0], 0
	if c.connected.Load() {
		c.loop.wakes.add(c.waiter.Load())
	}
}

// push stages a call for the server. Under mu; Publish follows.
func (c *Channel) push(k *Call) {
	if k.phase != callHeld || k.stuck {
		panic(fmt.Sprintf("xseg: Submit of a call in phase %d", k.phase))
	}
	if c.failed {
		c.loop.Post(func() { c.failCall(k) })
		return
	}
	c.stage(k)
}

// stage hands the call's slot over under a new generation. Under mu; Publish follows.
func (c *Channel) stage(k *Call) {
	k.generation++
	k.ringAt = c.tail
	k.phase = callFlying
	if c.closed { // it never ends, but for those who wait for it in Do: they get ErrClosed
		return
	}
	k.fill()
	c.view.Stage(k.slot, k.generation, c.tail)
	c.tail++
}

// failCall ends a call that was submitted while there is no server. Loop.
func (c *Channel) failCall(k *Call) {
	k.errno, k.serviced, k.payloadLen = syscall.EHOSTDOWN, 0, 0
	c.entry.Counters.Errors.Add(1)
	k.deliver()
}

// pending tells whether harvest would find something. Loop.
func (c *Channel) pending() bool {
	return c.view.AnyDone() || c.cancelled.Load() != 0 && c.view.Head() != c.head
}

// harvest takes completions, and cancelled calls that the server has read past; false if there
// were none. Loop.
func (c *Channel) harvest() bool {
	if !c.pending() {
		return false
	}
	c.mu.Lock()
	c.head = c.view.Head()
	c.told = c.reclaim() || c.told
	c.view.Completed(c.complete)
	tell := c.told
	c.told = false
	c.mu.Unlock()
	c.deliverAll()
	if tell {
		c.tellRoom()
	}
	return true
}

// finish takes the reply of one slot. That its bit was set is only a hint: the call must be out,
// and the slot must hold the answer to its present generation. Loop; under mu.
func (c *Channel) finish(slot uint32) {
	k := c.calls[slot]
	if k == nil || k.phase != callFlying && k.phase != callAbandoned || !c.view.IsDone(slot, k.generation) {
		c.tally.errors++
		return
	}
	if k.phase == callAbandoned { // the answer was all that it waited for
		c.told = c.release(k) || c.told
		return
	}
	k.readReply()
	k.phase = callHeld
	c.ended = append(c.ended, k)
}

// deliverAll tells the users of the calls that have just ended. Loop.
func (c *Channel) deliverAll() {
	c.loop.handled += len(c.ended)
	for i, k := range c.ended {
		c.ended[i] = nil
		c.tally.end(k.Op, k.errno != 0, k.serviced)
		c.tally.took(c.loop.now-k.submittedAt, 1)
		k.deliver()
	}
	c.ended = c.ended[:0]
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
	if k.phase != callFlying {
		return false
	}
	if !c.closed && c.view.Cancel(k.slot, k.generation) {
		// Not free yet: a ring entry of it that nobody has read must not be joined by another.
		k.phase = callCancelled
		c.keepUnread(append(c.unread, k))
	} else {
		k.phase = callAbandoned
	}
	return true
}
