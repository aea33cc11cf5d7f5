package xseg

import (
	"context"
	"fmt"

	"archipelago/xseg/internal/channel"
)

// backStep is how much memory is put behind a buffer area at a time.
const backStep = 1 << 20 / PageSize

// Get takes a free slot with a buffer of dataBytes (0 = none) and returns a cleared call, or nil:
// no slot or no buffer now. The buffer's content is undefined. Any goroutine; doesn't block,
// doesn't allocate. Precondition: 0 <= dataBytes <= 4 MiB and <= the channel's buffer area.
func (c *Channel) Get(dataBytes int) *Call {
	if dataBytes < 0 || dataBytes > MaxData || int64(dataBytes) > c.opts.BufferBytes {
		panic(fmt.Sprintf("xseg: Get(%d) from a channel with %d bytes of buffers",
			dataBytes, c.opts.BufferBytes))
	}
	c.mu.Lock()
	k := c.take(dataBytes)
	c.mu.Unlock()
	return k
}

// spareMax is how many free slots the loop keeps for itself.
const spareMax = 32

// GetOnLoop is Get for callbacks on the loop: without a buffer it mostly does without the lock.
func (c *Channel) GetOnLoop(dataBytes int) *Call {
	if dataBytes != 0 || len(c.spare) == 0 && !c.stock() {
		return c.Get(dataBytes)
	}
	return c.pop(&c.spare)
}

// pop takes the last slot of a list of free ones, for its user.
func (c *Channel) pop(list *[]uint32) *Call {
	last := len(*list) - 1
	k := c.calls[(*list)[last]]
	*list = (*list)[:last]
	k.clear()
	k.phase = callHeld
	return k
}

// stock moves free slots to the loop's own; false if there are few, which are everybody's. Loop.
func (c *Channel) stock() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.free)/2, spareMax/2)
	if n == 0 || c.closed {
		return false
	}
	rest := len(c.free) - n
	c.spare = append(c.spare, c.free[rest:]...)
	c.free = c.free[:rest]
	return true
}

// unspare gives the loop's own slots back for everybody. Loop.
func (c *Channel) unspare() {
	c.mu.Lock()
	c.asked = false
	c.free = append(c.free, c.spare...)
	c.spare = c.spare[:0]
	tell := c.roomCame()
	c.mu.Unlock()
	if tell {
		c.tellRoom()
	}
}

// take is Get under mu; a failure leaves a mark that the next release answers.
func (c *Channel) take(dataBytes int) *Call {
	if c.closed {
		return nil
	}
	if len(c.free) == 0 && c.reclaim() {
		c.loop.Post(c.roomTold)
	}
	if len(c.free) == 0 {
		c.growSlots()
	}
	n := (dataBytes + PageSize - 1) / PageSize
	first, ok := 0, len(c.free) != 0
	if ok && n > 0 {
		first, ok = c.takePages(n)
	}
	if !ok {
		c.wantRoom()
		return nil
	}
	k := c.pop(&c.free)
	if n > 0 {
		k.firstPage, k.nrPages = int32(first), int32(n)
		k.dataOff = Offset(c.base + uint64(first)*PageSize)
		k.data = c.loop.seg.mem[k.dataOff : int(k.dataOff)+dataBytes : int(k.dataOff)+dataBytes]
	}
	return k
}

// growSlots puts memory behind some more slots. Where there is none those that are there must do.
// Under mu.
func (c *Channel) growSlots() {
	all := c.view.Len()
	old, n := uint32(c.nrCalls), min(uint32(c.nrCalls)+slotStep, all)
	if old == n {
		return
	}
	from, to := channel.Backing(all, old), channel.Backing(all, n)
	extent := c.base - channel.Size(all)
	if err := c.loop.seg.file.Back(int64(extent+from), int64(to-from)); err != nil {
		return
	}
	c.entry.SlotsBacked.Store(n)
	c.addCalls(int(n))
}

// wantRoom notes that somebody found no room. What the loop holds back might be all there is: it is
// asked for it once, as long as it may have some. Under mu.
func (c *Channel) wantRoom() {
	c.starved.Store(true)
	if len(c.free) == 0 && !c.asked {
		c.asked = true
		c.loop.Post(c.unspared)
	}
}

// takePages finds n pages and sees to it that there is memory behind them.
func (c *Channel) takePages(n int) (first int, ok bool) {
	first = c.pages.Take(n)
	if first < 0 {
		return 0, false
	}
	if first+n > c.backed && !c.back(first+n) {
		c.pages.Give(first, n)
		return 0, false
	}
	return first, true
}

// back puts memory behind the first need pages, in steps, or just what is needed if that is all
// there is.
func (c *Channel) back(need int) bool {
	whole := int(c.opts.BufferBytes / PageSize)
	for _, upto := range [...]int{min((need+backStep-1)/backStep*backStep, whole), need} {
		if upto > whole {
			break
		}
		err := c.loop.seg.file.Back(int64(c.base)+int64(c.backed)*PageSize, int64(upto-c.backed)*PageSize)
		if err == nil {
			c.backed, c.noMemory = upto, false
			c.entry.BufferBacked.Store(uint64(upto) * PageSize)
			return true
		}
	}
	c.noMemory = true
	return false
}

// GetWait is Get that waits for room, until ctx ends. Not on the loop. ErrNoMemory if there is no
// room because the machine has no shared memory left, and no request of this channel holds any.
func (c *Channel) GetWait(ctx context.Context, dataBytes int) (*Call, error) {
	if dataBytes > MaxData || int64(dataBytes) > c.opts.BufferBytes {
		return nil, fmt.Errorf("buffer of %d bytes, the channel has %d: %w",
			dataBytes, c.opts.BufferBytes, ErrLimit)
	}
	for {
		k, room, err := c.getOrWait(dataBytes)
		if k != nil || err != nil {
			return k, err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, fmt.Errorf("channel to port %d: %w", c.dst, ErrClosed)
		}
	}
}

func (c *Channel) getOrWait(dataBytes int) (*Call, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.take(dataBytes); k != nil {
		return k, nil, nil
	}
	if c.noMemory && c.pages.Used() == 0 {
		c.noMemory = false
		return nil, nil, fmt.Errorf("buffer of %d bytes: %w", dataBytes, ErrNoMemory)
	}
	if c.room == nil {
		c.room = make(chan struct{})
	}
	return nil, c.room, nil
}

// OnRoom registers f, run on the loop whenever room appeared after a Get that found none. Before
// the first Get.
func (c *Channel) OnRoom(f func()) { c.onRoom = append(c.onRoom, f) }

// Put gives slot and buffer back. After Done, or instead of Submit. Any goroutine.
func (k *Call) Put() {
	c := k.ch
	c.mu.Lock()
	if k.phase != callHeld {
		c.mu.Unlock()
		panic(fmt.Sprintf("xseg: Put of a call in phase %d", k.phase))
	}
	if k.stuck {
		k.phase = callAbandoned
		c.mu.Unlock()
		return
	}
	tell := c.release(k)
	c.mu.Unlock()
	if tell {
		c.loop.Post(c.roomTold)
	}
}

// PutOnLoop is Put for callbacks on the loop: without a buffer it mostly does without the lock.
func (k *Call) PutOnLoop() {
	c := k.ch
	if k.nrPages != 0 || k.stuck || k.phase != callHeld || len(c.spare) == spareMax || c.starved.Load() {
		k.Put()
		return
	}
	k.forget()
	c.view.Free(k.slot, k.generation)
	c.spare = append(c.spare, k.slot)
}

// forget ends a call for its user.
func (k *Call) forget() {
	k.data, k.User, k.Done = nil, nil, nil
	k.phase = callFree
}

// release puts a call into the free list; true if somebody waits for room. Under mu.
func (c *Channel) release(k *Call) bool {
	if k.nrPages > 0 {
		c.pages.Give(int(k.firstPage), int(k.nrPages))
		k.nrPages = 0
	}
	k.forget()
	if !c.closed {
		c.view.Free(k.slot, k.generation)
	}
	c.free = append(c.free, k.slot)
	return c.roomCame()
}

// roomCame wakes those in GetWait; true if OnRoom is due. Under mu.
func (c *Channel) roomCame() bool {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
	return c.starved.Load() && c.starved.Swap(false) && len(c.onRoom) != 0
}

func (c *Channel) tellRoom() {
	for _, f := range c.onRoom {
		f()
	}
}

// retryRoom lets those try again who found no memory: nobody tells when it comes back. Loop.
func (c *Channel) retryRoom() {
	c.mu.Lock()
	tell := c.noMemory && c.roomCame()
	c.noMemory = false
	c.mu.Unlock()
	if tell {
		c.tellRoom()
	}
}

// reclaim frees cancelled calls whose ring entries the server has read past; true if somebody
// waits for room. Under mu.
func (c *Channel) reclaim() (tell bool) {
	if len(c.unread) == 0 || c.closed {
		return false
	}
	head := c.view.Head()
	rest := c.unread[:0]
	for _, k := range c.unread {
		if int32(head-k.ringAt) > 0 {
			tell = c.release(k) || tell
		} else {
			rest = append(rest, k)
		}
	}
	c.keepUnread(rest)
	return tell
}

// keepUnread sets the list of cancelled calls. Under mu.
func (c *Channel) keepUnread(list []*Call) {
	c.unread = list
	c.cancelled.Store(int32(len(list)))
}
