package xseg

import (
	"testing"
	"unsafe"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/channel"
)

// tinySegment is a segment in plain memory with one channel, for tests of what is read from it.
func tinySegment() (*Segment, *served) {
	const heap, size = 64 << 10, 1 << 20
	mem := make([]byte, size+abi.PageSize)
	mem = mem[-uintptr(unsafe.Pointer(&mem[0]))%abi.PageSize:][:size]
	s := &Segment{mem: mem, t: tables{heap: heap, size: size, nrChannels: 4, nrPorts: 16, nrWaiters: 4}}
	s.channels = tableOf[abi.Channel](mem, headerSize, 4)
	c := &s.channels[1]
	c.State.Store(abi.ChannelLive)
	c.ExtentOffset.Store(heap)
	c.NrSlots.Store(8)
	c.BufferOffset.Store(heap + channel.Size(8))
	c.BufferSize.Store(128 << 10)
	c.BufferBacked.Store(64 << 10)
	v, _ := s.viewOf(c)
	return s, &served{port: &Port{loop: &Loop{seg: s}}, view: v}
}

// FuzzDescriptor: whatever lies in a slot, a request that is taken has its buffer inside memory
// that is there to be touched.
func FuzzDescriptor(f *testing.F) {
	s, from := tinySegment()
	slot := unsafe.Slice((*byte)(unsafe.Pointer(from.view.Slot(3))), slotSize)
	start, end := uint64(64<<10)+channel.Size(8), uint64(64<<10)+channel.Size(8)+64<<10
	good := abi.Slot{Op: OpWrite, DataOffset: start + 100, DataSize: 5000, TargetSize: 5, InlineSize: 7}
	f.Add(unsafe.Slice((*byte)(unsafe.Pointer(&good)), slotSize))
	good.TargetSize = abi.TargetMax + 1
	f.Add(unsafe.Slice((*byte)(unsafe.Pointer(&good)), slotSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		clear(slot)
		copy(slot, b)
		r := &Request{from: from, slot: 3}
		if !r.read(from, 3, 0) {
			return
		}
		if len(r.Target()) > abi.TargetMax || len(r.PayloadIn()) > abi.InlineMax {
			t.Fatal(len(r.Target()), len(r.PayloadIn()))
		}
		if len(r.Data()) == 0 {
			return
		}
		off, ok := s.OffsetOf(r.Data())
		if !ok || uint64(off) < start || uint64(off)+uint64(len(r.Data())) > end {
			t.Fatalf("buffer at %d, %d bytes, outside of %d to %d", off, len(r.Data()), start, end)
		}
	})
}

// TestDescriptorTaken: the fuzz test isn't passed by refusing everything.
func TestDescriptorTaken(t *testing.T) {
	_, from := tinySegment()
	sl := from.view.Slot(3)
	sl.DataOffset, sl.DataSize = 64<<10+channel.Size(8)+100, 5000
	r := &Request{from: from, slot: 3}
	if !r.read(from, 3, 0) || len(r.Data()) != 5000 {
		t.Fatal("a good request was refused")
	}
	sl.DataOffset += 60 << 10
	if r.read(from, 3, 0) {
		t.Fatal("a buffer that ends beyond the backed memory was taken")
	}
}
