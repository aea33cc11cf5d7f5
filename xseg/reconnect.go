package xseg

import (
	"fmt"
	"net"
	"time"

	"archipelago/xseg/internal/step"
)

// supervise watches the connection of a channel and, when it ends, looks for a successor.
func (c *Channel) supervise(conn *net.UnixConn) {
	defer c.rehang(nil)
	for {
		untilHangUp(conn)
		_ = conn.Close()
		if c.ctx.Err() != nil {
			return
		}
		c.connected.Store(false)
		c.loop.Post(func() { c.harvest() }) // what it had answered counts
		if conn = c.redial(); conn == nil {
			return
		}
		c.entry.Counters.Restarts.Add(1)
		c.attach(conn)
		c.loop.seg.wake(c.waiter.Load()) // for what was pushed before the server listened
	}
}

// redial tries until there is a successor; nil when the channel is closed.
func (c *Channel) redial() *net.UnixConn {
	begun := time.Now()
	limit := time.Duration(c.opts.RecoverySeconds) * time.Second
	for {
		conn, err := c.dial(c.ctx, c.rewind)
		if err == nil {
			return conn
		}
		// Each time: a successor that died in the handshake had given hope to new requests.
		if limit > 0 && time.Since(begun) > limit {
			c.loop.Post(c.fail)
		}
		if sleep(c.ctx, retryPause(time.Since(begun))) != nil {
			return nil
		}
	}
}

// rewind runs repush on the loop and waits for it.
func (c *Channel) rewind() error {
	done := make(chan struct{})
	c.loop.Post(func() {
		c.repush()
		close(done)
	})
	select {
	case <-done:
		return nil
	case <-c.ctx.Done():
		return fmt.Errorf("channel to port %d: %w", c.dst, ErrClosed)
	}
}

// repush empties the ring and pushes every request again that has no answer. The server and all
// that it had passed on are dead (a successor says READY only then), so that nothing writes to
// slots and buffers any more: what was in quarantine is free. Loop.
func (c *Channel) repush() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.view.Rewind()
	c.tail, c.failed = 0, false
	step.At(step.RepushReset)
	for _, k := range c.calls[:c.nrCalls] {
		c.renewCall(k)
	}
	c.keepUnread(c.unread[:0])
	c.view.Publish(c.tail)
	tell := c.told
	c.told = false
	c.mu.Unlock()
	step.At(step.RepushDone)
	c.deliverAll()
	if tell {
		c.tellRoom()
	}
}

// renewCall prepares one call for the successor. Under mu.
func (c *Channel) renewCall(k *Call) {
	switch k.phase {
	case callFlying:
		if c.view.IsDone(k.slot, k.generation) { // killed before it set the bit
			c.finish(k.slot)
		} else {
			c.stage(k)
		}
	case callAbandoned:
		k.generation++
		c.told = c.release(k) || c.told
	case callCancelled:
		c.told = c.release(k) || c.told
	default:
		k.stuck = false
		c.view.Free(k.slot, k.generation)
	}
}

// fail ends all requests for lack of a server. What a server had begun may still be worked on by
// those it had passed it on to: slot and buffer stay in quarantine until a successor says that
// this is over. Loop.
func (c *Channel) fail() {
	c.mu.Lock()
	if c.connected.Load() {
		c.mu.Unlock()
		return
	}
	c.failed = true
	var lost []*Call
	for _, k := range c.calls[:c.nrCalls] {
		if k.phase == callFlying && !c.view.IsDone(k.slot, k.generation) {
			k.stuck = !c.view.Cancel(k.slot, k.generation)
			k.phase = callHeld
			lost = append(lost, k)
		}
	}
	c.mu.Unlock()
	for _, k := range lost {
		c.failCall(k)
	}
}
