package xseg

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/channel"
	"archipelago/xseg/internal/pages"
)

// ChannelOptions are what Connect needs besides the destination.
type ChannelOptions struct {
	Slots       int   // power of two, at most 1024
	BufferBytes int64 // buffer area reserved (not backed); 0 for a channel that only passes on
	// Wait makes Connect wait for a server that isn't there yet (until ctx ends).
	Wait bool
	// RecoverySeconds: how long requests wait for a dead server's successor before they fail with
	// EHOSTDOWN; 0 = for ever.
	RecoverySeconds int
}

func (o *ChannelOptions) check() error {
	switch {
	case o.Slots < 0 || o.Slots > MaxSlots || !channel.Valid(uint32(o.Slots)):
		return fmt.Errorf("%d slots: want a power of two, at most %d: %w", o.Slots, MaxSlots, ErrLimit)
	case o.BufferBytes < 0 || o.BufferBytes > maxSizeMiB<<20:
		return fmt.Errorf("%d bytes of buffers: %w", o.BufferBytes, ErrLimit)
	}
	return nil
}

// Channel is a connection from a port of ours to a port of another peer. If the server dies its
// requests wait for the successor and are pushed again: callers see a pause.
type Channel struct {
	port  *Port
	loop  *Loop
	dst   PortNo
	opts  ChannelOptions
	id    int
	entry *abi.Channel
	view  channel.View
	base  uint64 // position of the buffer area; never read back from the table

	ctx    context.Context // ends with close
	cancel context.CancelFunc

	waiter    atomic.Uint32 // of the server
	bell      *bell         // of bellOf; of who dials or closes
	bellOf    uint32
	connected atomic.Bool
	cancelled atomic.Int32 // len(unread)
	complete  func(uint32) // c.finish, bound once
	roomTold  func()       // c.tellRoom, bound once
	unspared  func()       // c.unspare, bound once
	onRoom    []func()

	// The loop's own.
	spare  []uint32 // free slots that only the loop takes, without the lock
	queued []*Call  // submitted in this batch
	pushed int      // how many of them are in the ring
	head   uint32   // how far the server had read when cancelled calls were last looked at
	ended  []*Call  // taken from the bitmap, not delivered
	told   bool     // room came while completions were taken
	tally  tally

	starved atomic.Bool // somebody found no room; set under mu

	mu       sync.Mutex
	conn     *net.UnixConn
	closed   bool // the extent may belong to somebody else: it isn't touched any more
	failed   bool // no server for RecoverySeconds: what is submitted fails at once
	tail     uint32
	calls    []*Call // by slot; nil: the slot has no memory yet
	nrCalls  int     // how many aren't nil, the first ones
	free     []uint32
	unread   []*Call // cancelled ones
	pages    *pages.Pages
	backed   int  // pages that have memory
	asked    bool // the loop was asked for what it holds in spare
	noMemory bool // the last failure to get room was for lack of memory
	room     chan struct{}
}

func (c *Channel) init(at place) {
	v := at.view
	c.id, c.entry, c.view, c.base = at.id, &c.loop.seg.channels[at.id], v, at.buffers
	c.ctx, c.cancel = context.WithCancel(c.loop.ctx)
	c.complete, c.roomTold, c.unspared = c.finish, c.tellRoom, c.unspare
	c.pages = pages.New(int(c.opts.BufferBytes / PageSize))
	c.calls = make([]*Call, v.Len())
	c.free, c.spare = make([]uint32, 0, v.Len()), make([]uint32, 0, spareMax)
	c.queued, c.ended = make([]*Call, 0, slotStep), make([]*Call, 0, slotStep)
	c.addCalls(int(min(v.Len(), slotStep)))
}

// addCalls makes the first n slots usable, which have memory now. Under mu, or before anybody else
// has the channel.
func (c *Channel) addCalls(n int) {
	more := make([]Call, n-c.nrCalls)
	for i := len(more) - 1; i >= 0; i-- { // the lowest is taken first
		k, slot := &more[i], c.nrCalls+i
		k.ch, k.slot = c, uint32(slot)
		c.calls[slot] = k
		c.free = append(c.free, k.slot)
	}
	c.nrCalls = n
}

// ID returns the channel's index in the channel table, as reports show it.
func (c *Channel) ID() int { return c.id }

// Dst returns the port of the server.
func (c *Channel) Dst() PortNo { return c.dst }

// close gives the channel back: at once if nobody serves it, else when the server has ended what
// it runs.
func (c *Channel) close() error {
	c.cancel()
	c.port.mu.Lock()
	delete(c.port.channels, c)
	c.port.mu.Unlock()
	// Before the extent can go: a call of another goroutine may be about to touch it.
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	s := c.loop.seg
	err := s.control(context.Background(), abi.StepReap, uint64(c.id), func() error {
		if c.entry.State.Load() == abi.ChannelLive && c.entry.SrcIncarnation.Load() == c.port.incarnation {
			c.entry.State.Store(abi.ChannelOrphan)
		}
		s.collect()
		return nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close() // the server sees it and drains
	}
	return err
}
