package remote

import (
	"fmt"
	"strings"
	"sync"

	"archipelago/peers/blocker"
	"archipelago/xseg"
)

// Option changes what New makes.
type Option func(*client)

// OnLoop is for a submitter that calls Submit on the channel's loop only: the blocker is woken once
// at the end of the batch. Done always runs on the loop.
func OnLoop() Option { return func(c *client) { c.onLoop = true } }

// InSegment says in which segment Data may lie: then it isn't copied, and the channel needs no
// buffers for it. Without it everything is copied.
func InSegment(seg *xseg.Segment) Option { return func(c *client) { c.seg = seg } }

// New returns the store at the other end of ch. Precondition: ch has a buffer area for the largest
// Data that doesn't lie in the segment of InSegment. Submit allocates nothing on success. It never
// blocks: what finds no room in the channel waits in a queue, in order, and goes out when room
// appears; the queue is as long as what the submitter has under way. It takes the channel's OnRoom.
func New(ch *xseg.Channel, opts ...Option) blocker.Store {
	c := &client{ch: ch}
	c.done = c.finish
	for _, o := range opts {
		o(c)
	}
	ch.OnRoom(c.drain)
	return c
}

type client struct {
	ch     *xseg.Channel
	seg    *xseg.Segment
	onLoop bool
	done   func(*xseg.Call) // finish, made once: a method value allocates

	mu      sync.Mutex
	closed  bool
	running int
	waiting queue // found no room
	idle    chan struct{}
}

// Submit implements blocker.Store.
func (c *client) Submit(op *blocker.Op) {
	op.N, op.Allocated, op.More, op.Err = 0, 0, false, nil
	if err := check(op); err != nil {
		op.Err = err
		op.Done(op)
		return
	}
	call, err := c.admit(op)
	if err != nil {
		op.Err = err
		op.Done(op)
		return
	}
	if call != nil {
		c.send(call, op, c.onLoop)
	}
}

func check(op *blocker.Op) error {
	if err := blocker.Check(op); err != nil {
		return err
	}
	if len(op.Data) > xseg.MaxData {
		return fmt.Errorf("object %s: %d bytes, a request carries %d: %w",
			strings.Clone(op.Name), len(op.Data), xseg.MaxData, blocker.ErrArgument)
	}
	return nil
}

// admit takes a call for op, or queues op behind those that wait already.
func (c *client) admit(op *blocker.Op) (*xseg.Call, error) {
	// The lock is held over Get and the queueing: else room could appear between the two, and its
	// notice find an empty queue.
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("object %s: %w", strings.Clone(op.Name), blocker.ErrClosed)
	}
	c.running++
	if c.waiting.len() == 0 {
		if call := c.get(op); call != nil {
			return call, nil
		}
	}
	c.waiting.push(op)
	return nil, nil
}

// get takes a call, if there is one.
func (c *client) get(op *blocker.Op) *xseg.Call {
	if c.onLoop {
		return c.ch.GetOnLoop(c.bufferBytes(op))
	}
	return c.ch.Get(c.bufferBytes(op))
}

// drain sends what waits, until there is no room again. On the loop.
func (c *client) drain() {
	for {
		c.mu.Lock()
		var call *xseg.Call
		op := c.waiting.first()
		if op != nil {
			if call = c.ch.GetOnLoop(c.bufferBytes(op)); call != nil {
				c.waiting.pop()
			}
		}
		c.mu.Unlock()
		if call == nil {
			return
		}
		c.send(call, op, true)
	}
}

// bufferBytes is the size of the buffer that op needs in the channel.
func (c *client) bufferBytes(op *blocker.Op) int {
	if !hasData(op.Kind) || c.inSegment(op.Data) {
		return 0
	}
	return len(op.Data)
}

func (c *client) inSegment(b []byte) bool {
	if c.seg == nil || len(b) == 0 {
		return false
	}
	_, ok := c.seg.OffsetOf(b)
	return ok
}

func (c *client) send(call *xseg.Call, op *blocker.Op, onLoop bool) {
	call.User, call.Done = op, c.done
	call.Op = opcodes[op.Kind]
	call.Volume, call.Term = op.Volume, op.Term
	if op.Flags&blocker.FlagFUA != 0 {
		call.Flags = xseg.ReqFUA
	}
	if op.Flags&blocker.FlagReserve != 0 {
		call.Flags |= xseg.ReqForce
	}
	call.SetTarget(op.Name)
	call.Offset = uint64(op.Offset)
	switch op.Kind {
	case blocker.LockAdvance:
		call.Offset = op.Generation
	case blocker.Copy, blocker.Fill:
		call.SetPayloadLen(putCopyArgs(call.Payload(), op))
	case blocker.List:
		call.SetPayloadLen(copy(call.Payload(), op.After))
	}
	c.attach(call, op)
	if onLoop {
		call.SubmitOnLoop()
	} else {
		call.Submit()
	}
}

// attach sets the request's data and size.
func (c *client) attach(call *xseg.Call, op *blocker.Op) {
	if usesLength(op.Kind) {
		call.Size = uint64(op.Length)
		return
	}
	if !hasData(op.Kind) {
		return
	}
	call.Size = uint64(len(op.Data))
	if c.inSegment(op.Data) {
		call.SetData(op.Data)
	} else if !fillsData(op.Kind) {
		copy(call.Data(), op.Data)
	}
}

// finish takes the reply. The slot is given back before op.Done, which may want it.
func (c *client) finish(call *xseg.Call) {
	op := call.User.(*blocker.Op)
	c.takeReply(call, op)
	call.PutOnLoop()
	op.Done(op)
	c.leave()
}

func (c *client) takeReply(call *xseg.Call, op *blocker.Op) {
	if n := call.Errno(); n != 0 {
		op.Err = replyError(op, n)
	}
	if call.PayloadLen() >= 8 {
		getResult(op, le.Uint64(call.Payload()))
	}
	n := call.Serviced()
	if op.Err == nil && hasData(op.Kind) && n > uint64(len(op.Data)) {
		op.Err = fmt.Errorf("object %s: reply of %d bytes to %d: %w",
			strings.Clone(op.Name), n, len(op.Data), blocker.ErrArgument)
		return
	}
	op.N = int64(n)
	if op.Err == nil && fillsData(op.Kind) && n > 0 {
		if data := call.Data(); !same(data, op.Data) {
			copy(op.Data[:n], data)
		}
	}
}

// Close waits until what was submitted has ended, and refuses what comes later. Not on the loop,
// which must still run. The channel stays open.
func (c *client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	idle := make(chan struct{})
	if c.running == 0 {
		close(idle)
	} else {
		c.idle = idle
	}
	c.mu.Unlock()
	<-idle
	return nil
}

func (c *client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.running == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}
