package mapfmt

import (
	"encoding/binary"
	"hash/crc32"
)

// Sizes of the pending log. Part of the format: do not change.
const (
	PendingHeaderBytes = 256
	PendingRecordBytes = 192
	PendingTrimOffset  = 248 // of the trim word, in the header
)

// PendingHeader says whose pending log a file is. Only the trim word changes in a file: anything
// else is a new file.
type PendingHeader struct {
	Store       UUID
	Volume      UUID
	BootID      [16]byte
	Incarnation [16]byte // of the node
	Generation  uint64   // of the volume's lock
	Epoch       uint64   // of the volume
	ObjectSize  int64
	Slots       uint32 // how many records the file has room for
	First       uint64 // number of the oldest record that counts; 1 to MaxPendingNumber
}

// MaxPendingNumber is the largest number of a record: the trim word holds it in 48 bits.
const MaxPendingNumber = 1<<48 - 1

// Layout of the header's frame; offsets count from the start of the file. The frame has 128 bytes,
// zeros follow, then the trim word.
//
//	16 store       16 bytes        80 generation  u64
//	32 volume      16 bytes        88 epoch       u64
//	48 boot_id     16 bytes        96 object_size u32
//	64 incarnation 16 bytes        100 slots      u32
//	                               104 reserved   20 bytes
const (
	pendingFrame   = 128
	pendingPadding = 20
)

// EncodePendingHeader returns the first PendingHeaderBytes of a pending log.
func EncodePendingHeader(h *PendingHeader) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	b := beginFrame(kindPending, PendingHeaderBytes)
	for _, id := range [][16]byte{h.Store, h.Volume, h.BootID, h.Incarnation} {
		b = append(b, id[:]...)
	}
	b = appendU64(b, h.Generation)
	b = appendU64(b, h.Epoch)
	b = appendU32(b, uint32(h.ObjectSize))
	b = appendU32(b, h.Slots)
	b = endFrame(appendZeros(b, pendingPadding))
	b = appendZeros(b, PendingTrimOffset-len(b))
	return appendU64(b, TrimWord(h.First)), nil
}

// DecodePendingHeader reads the header at the start of a pending log. The seed is what its
// records' CRCs go on from, so that a record of another log never checks.
func DecodePendingHeader(data []byte) (h *PendingHeader, seed uint32, err error) {
	d, length, seed, err := openFrame(kindPending, data)
	if err != nil {
		return nil, 0, err
	}
	h = &PendingHeader{
		Store: d.id(), Volume: d.id(), BootID: d.id(), Incarnation: d.id(), Generation: d.u64(),
		Epoch: d.u64(), ObjectSize: int64(d.u32()), Slots: d.u32(),
	}
	d.zeros(pendingPadding)
	if err := d.end(); err != nil {
		return nil, 0, err
	}
	if length != pendingFrame || len(data) < PendingHeaderBytes {
		return nil, 0, corruptf(d.what, "frame of %d bytes in %d", length, len(data))
	}
	gap := reader{what: d.what, rest: data[pendingFrame:PendingTrimOffset]}
	gap.zeros(len(gap.rest))
	if gap.err != nil {
		return nil, 0, gap.err
	}
	if h.First, err = ParseTrimWord(binary.LittleEndian.Uint64(data[PendingTrimOffset:])); err != nil {
		return nil, 0, err
	}
	if err := h.check(); err != nil {
		return nil, 0, corruptf(d.what, "%v", err)
	}
	return h, seed, nil
}

func (h *PendingHeader) check() error {
	if err := CheckObjectSize(h.ObjectSize); err != nil {
		return err
	}
	if h.Slots == 0 || h.First == 0 || h.First > MaxPendingNumber {
		return argumentf(kindPending.what, "%d slots, first number %d", h.Slots, h.First)
	}
	return nil
}

// FileBytes returns the size of the whole file.
func (h *PendingHeader) FileBytes() int64 {
	return PendingHeaderBytes + int64(h.Slots)*PendingRecordBytes
}

// Offset returns where the record with that number lies in the file.
func (h *PendingHeader) Offset(number uint64) int64 {
	return PendingHeaderBytes + int64(number%uint64(h.Slots))*PendingRecordBytes
}

// TrimWord is what to store at PendingTrimOffset when first becomes the oldest record that counts.
// It checks by itself, so that one aligned 8-byte store trims the log: the process may be killed
// before or after it, never in it.
func TrimWord(first uint64) uint64 {
	return first&MaxPendingNumber | uint64(trimCheck(first))<<48
}

// ParseTrimWord reads a trim word.
func ParseTrimWord(word uint64) (uint64, error) {
	first := word & MaxPendingNumber
	if uint16(word>>48) != trimCheck(first) {
		return 0, corruptf(kindPending.what, "trim word %016x does not check", word)
	}
	return first, nil
}

func trimCheck(first uint64) uint16 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], first&MaxPendingNumber)
	sum := crc32.Checksum(b[:], castagnoli)
	return uint16(sum) ^ uint16(sum>>16)
}
