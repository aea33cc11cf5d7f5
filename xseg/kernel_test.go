package xseg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync/atomic"
	"testing"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/channel"
	"archipelago/xseg/internal/shm"
)

// kernelSide does what a kernel can do with a channel that a process has made for it: it sees the
// extent and two wait words, rings one eventfd and sleeps on another. It uses nothing of this
// package but the layout.
type kernelSide struct {
	view        channel.View
	mem         []byte // the segment
	buffers     uint64
	own, theirs *atomic.Uint32 // wait words
	ownFD       int
	theirFD     int
	woken       uint32
	tail        uint32
	generation  [kernelSlots]uint64
}

const kernelSlots = 8

// submit hands slot i over, with a pattern of n bytes in its buffer.
func (k *kernelSide) submit(i uint32, n int, seed byte) {
	off := k.buffers + uint64(i)*PageSize
	for j := range n {
		k.mem[off+uint64(j)] = seed + byte(j)
	}
	k.generation[i]++
	s := k.view.Slot(i)
	s.Op, s.DataOffset, s.DataSize, s.InlineSize = abi.OpWrite, off, uint64(n), 8
	binary.LittleEndian.PutUint64(s.Payload[:], k.generation[i])
	k.view.Stage(i, k.generation[i], k.tail)
	k.tail++
	k.view.Publish(k.tail)
	if v := k.theirs.Load(); v&1 == 1 && v != k.woken && k.theirs.CompareAndSwap(v, v+2) {
		k.woken = v + 2
		shm.SignalEventfd(k.theirFD)
	}
}

// answers sleeps until there are some, and passes each to f.
func (k *kernelSide) answers(f func(i uint32)) {
	v := k.own.Add(1)
	for v&1 == 1 && !k.view.AnyDone() {
		shm.WaitEventfd(k.ownFD, -1, false)
		v = k.own.Add(2)
	}
	k.own.Add(1)
	k.view.Completed(f)
}

// kernelChannel makes a server that sleeps on an eventfd and checks what it gets, and a channel to
// it that a kernel submits on.
func kernelChannel(t *testing.T) *kernelSide {
	t.Helper()
	process := loopForTest(t, LoopOptions{Eventfd: true})
	seg, err := Join(process.seg.name)
	if err != nil {
		t.Fatal(err)
	}
	server, err := seg.NewLoopWith(LoopOptions{Eventfd: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Bind(t.Context(), 1, BindOptions{Role: "server", Handler: func(r *Request) {
		r.SetPayloadLen(copy(r.Payload(), r.PayloadIn()))
		r.RespondOnLoop(0, uint64(crc32.ChecksumIEEE(r.Data())))
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
		_ = server.Close()
		_ = seg.Leave()
	})
	p, err := process.Bind(t.Context(), 2, BindOptions{Role: "kernel"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Connect(t.Context(), 1, ChannelOptions{Slots: kernelSlots, BufferBytes: kernelSlots * PageSize})
	if err != nil {
		t.Fatal(err)
	}
	// The process puts memory behind the buffers before the kernel may touch them.
	if k := c.Get(kernelSlots * PageSize); k == nil {
		t.Fatal("no memory")
	}
	return &kernelSide{view: c.view, mem: process.seg.mem, buffers: c.base, own: process.word,
		theirs: &process.seg.waiters[c.waiter.Load()].Word, ownFD: process.bell.fd, theirFD: c.bell.fd}
}

// TestKernelSubmits: a submitter that has only memory and eventfds gets all its answers.
func TestKernelSubmits(t *testing.T) {
	k := kernelChannel(t)
	left, flying := 4_000, 0
	want := [kernelSlots]uint32{}
	send := func(i uint32) {
		n, seed := left%PageSize, byte(left)
		k.submit(i, n, seed)
		off := k.buffers + uint64(i)*PageSize
		want[i] = crc32.ChecksumIEEE(k.mem[off : off+uint64(n)])
		left--
		flying++
	}
	for i := range uint32(kernelSlots) {
		send(i)
	}
	for flying > 0 {
		k.answers(func(i uint32) {
			s := k.view.Slot(i)
			number := binary.LittleEndian.AppendUint64(nil, k.generation[i])
			if !k.view.IsDone(i, k.generation[i]) || s.Error != 0 || s.Serviced != uint64(want[i]) ||
				!bytes.Equal(s.Payload[:s.InlineSize], number) {
				t.Fatalf("slot %d: state %#x, error %d, sum %#x, want %#x", i, s.State.Load(), s.Error, s.Serviced, want[i])
			}
			k.view.Free(i, k.generation[i])
			flying--
			if left > 0 {
				send(i)
			}
		})
	}
}

// TestEventfdMustCome: a peer whose waiter has an eventfd, and who doesn't send it, could never be
// woken: the channel isn't made.
func TestEventfdMustCome(t *testing.T) {
	l := loopForTest(t, LoopOptions{Eventfd: true})
	p, err := l.Bind(t.Context(), 1, BindOptions{Role: "server", Handler: func(r *Request) { r.RespondOnLoop(0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	l.bell = nil
	if c, err := p.Connect(t.Context(), 1, ChannelOptions{Slots: 1}); !errors.Is(err, errNoEventfd) {
		t.Errorf("connected %v: %v", c != nil, err)
	}
}
