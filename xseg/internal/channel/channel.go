// Package channel is the data path inside one channel's extent: submission ring, slot states and
// completion bitmap, with the memory orders that make them safe against a side that dies at any
// instruction. Both ends use it; each end keeps its own private positions.
//
// It doesn't wake anybody, allocate, or know what a request means. All words are read once; what
// is read is an index or a state that the caller checks against what it knows privately.
//
//	extent:  header (512) | ring (8 per slot) | slots (512 each) | up to the next page
package channel

import (
	"math/bits"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/step"
)

const (
	headerSize = 512
	entrySize  = 8
	slotSize   = 512
)

// Valid tells whether a channel may have n slots.
func Valid(n uint32) bool { return n > 0 && n <= abi.MaxSlots && n&(n-1) == 0 }

// Size returns the bytes that header, ring and slots of a channel take, in whole pages.
func Size(nrSlots uint32) uint64 { return Backing(nrSlots, nrSlots) }

// Backing returns the bytes from the start of the extent that must have memory behind them for n of
// nrSlots slots to be used, in whole pages.
func Backing(nrSlots, n uint32) uint64 {
	bytes := uint64(slotsOffset(nrSlots)) + uint64(min(n, nrSlots))*slotSize
	return (bytes + abi.PageSize - 1) &^ (abi.PageSize - 1)
}

// slotsOffset keeps the slots on cache lines of their own.
func slotsOffset(nrSlots uint32) uint32 { return (headerSize + nrSlots*entrySize + 63) &^ 63 }

// View is one side's access to an extent. Geometry comes from the number of slots alone, never
// from what the extent says about itself.
type View struct {
	hdr   *abi.ChannelHeader
	ring  []abi.RingEntry
	slots []abi.Slot
	mask  uint32
	base  uint64 // position of the extent in the segment: names hand-overs to the race detector
}

// Word puts a slot's state word together.
func Word(generation uint64, state uint8) uint64 { return generation<<8 | uint64(state) }

// State takes the state out of a slot's state word.
func State(word uint64) uint8 { return uint8(word) }

// Init prepares a zeroed extent before the channel is live.
func (v *View) Init() {
	v.hdr.NrSlots = uint32(len(v.slots))
	v.hdr.RingOffset = headerSize
	v.hdr.SlotsOffset = slotsOffset(uint32(len(v.slots)))
}

// Len returns the number of slots.
func (v *View) Len() uint32 { return uint32(len(v.slots)) }

// Slot returns slot i.
func (v *View) Slot(i uint32) *abi.Slot { return &v.slots[i] }

// Rewind empties ring and bitmap. Submitter, while no server serves the channel.
func (v *View) Rewind() {
	for i := range v.hdr.Done {
		v.hdr.Done[i].Store(0)
	}
	v.hdr.Head.Store(0)
	v.hdr.Tail.Store(0)
	v.Init()
}

// Stage prepares the hand-over of slot i: state and ring entry. Submitter; at is where the entry
// goes, and the slot is filled in. The stores are plain: Publish releases them all.
func (v *View) Stage(i uint32, generation uint64, at uint32) {
	raceRelease(v.base, i)
	storePlain(&v.slots[i].State, Word(generation, abi.SlotSubmitted))
	step.At(step.PublishState)
	e := &v.ring[at&v.mask]
	e.Slot, e.Generation = i, uint32(generation)
	step.At(step.PublishEntry)
}

// Publish hands over what was staged, up to tail. The store is sequentially consistent because
// the wait word is read next. Submitter.
func (v *View) Publish(tail uint32) {
	v.hdr.Tail.Store(tail)
	step.At(step.PublishTail)
}

// Head returns how far the server says to have read. Submitter.
func (v *View) Head() uint32 { return v.hdr.Head.Load() }

// Tail returns how far the submitter says to have published. Server.
func (v *View) Tail() uint32 { return v.hdr.Tail.Load() }

// SetHead publishes how far the server has read.
func (v *View) SetHead(head uint32) { v.hdr.Head.Store(head) }

// Entry returns ring entry at. Server; neither number is checked.
func (v *View) Entry(at uint32) (slot, generation uint32) {
	e := &v.ring[at&v.mask]
	return e.Slot, e.Generation
}

// Begin moves slot i from SUBMITTED to RUNNING and returns the new state word; false if the slot
// isn't submitted under that generation (it was cancelled, or the entry is stale). Server, before
// it reads anything else of the request.
func (v *View) Begin(i, generation uint32) (word uint64, ok bool) {
	s := &v.slots[i].State
	old := s.Load()
	if State(old) != abi.SlotSubmitted || uint32(old>>8) != generation {
		return old, false
	}
	word = old&^0xff | abi.SlotRunning
	if !s.CompareAndSwap(old, word) {
		return old, false
	}
	step.At(step.BeginRunning)
	raceAcquire(v.base, i)
	return word, true
}

// End moves slot i from RUNNING (word is what Begin returned) to DONE; false if the submitter broke
// the state word. Server; the reply fields are filled in. The store is plain: Announce releases it.
func (v *View) End(i uint32, word uint64) bool {
	raceRelease(v.base, i)
	if v.slots[i].State.Load() != word {
		return false
	}
	storePlain(&v.slots[i].State, word&^0xff|abi.SlotDone)
	step.At(step.EndDone)
	return true
}

// Announce publishes that the slots of set, a word of the bitmap, are DONE. Server.
func (v *View) Announce(word int, set uint64) {
	v.hdr.Done[word].Or(set)
	step.At(step.EndBit)
}

// AnyDone tells whether a completion waits. Submitter.
func (v *View) AnyDone() bool {
	for w := range (len(v.slots) + 63) / 64 {
		if v.hdr.Done[w].Load() != 0 {
			return true
		}
	}
	return false
}

// Completed calls f for each slot whose bit is set, and clears the bits. Submitter. A bit is only
// a hint: f checks the slot's state.
func (v *View) Completed(f func(i uint32)) {
	for w := range (len(v.slots) + 63) / 64 {
		if v.hdr.Done[w].Load() == 0 {
			continue
		}
		set := v.hdr.Done[w].Swap(0)
		step.At(step.HarvestBits)
		for ; set != 0; set &= set - 1 {
			if i := uint32(w*64 + bits.TrailingZeros64(set)); i < v.Len() {
				f(i)
			}
		}
	}
}

// IsDone tells whether slot i holds the answer to generation, and takes it over. Submitter.
func (v *View) IsDone(i uint32, generation uint64) bool {
	if v.slots[i].State.Load() != Word(generation, abi.SlotDone) {
		return false
	}
	raceAcquire(v.base, i)
	return true
}

// Cancel takes slot i back before a server has begun it. Submitter.
func (v *View) Cancel(i uint32, generation uint64) bool {
	return v.slots[i].State.CompareAndSwap(Word(generation, abi.SlotSubmitted),
		Word(generation, abi.SlotCancelled))
}

// Free marks slot i unused. Submitter. Nothing waits for it, so the store is plain.
func (v *View) Free(i uint32, generation uint64) {
	storePlain(&v.slots[i].State, Word(generation, abi.SlotFree))
}

// Busy counts the slots that are submitted or running, for reports. It looks at the first backed
// ones alone: to look at others would put memory behind them.
func (v *View) Busy(backed uint32) int {
	n := 0
	for i := range v.slots[:min(backed, v.Len())] {
		if st := State(v.slots[i].State.Load()); st == abi.SlotSubmitted || st == abi.SlotRunning {
			n++
		}
	}
	return n
}
