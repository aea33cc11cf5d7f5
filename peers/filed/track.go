package filed

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"archipelago/peers/blocker"
)

// The list of dirty objects: a file on tmpfs, which the death of this process leaves and a power
// cut takes, as it does what the list is about. Little-endian; slots of 256 bytes, the first of
// which is the header. It is read by a successor on the same boot only, so its version must be
// equal.
//
//	header  0   8  "ARCHDIRT"
//	        8   4  version, 1
//	        12  4  CRC-32C of bytes 16 to 47
//	        16  16 id of the boot
//	        32  8  device of the store's directory
//	        40  8  inode of the store's directory
//	        48  4  flags: 1 = objects are dirty that aren't listed, 2 = nobody knows which are bad
//	slot    0   4  state: 0 free, 1 dirty, 2 bad
//	        4   4  CRC-32C of bytes 8 to 25 and the name
//	        8   16 UUID of the volume
//	        24  2  length of the name
//	        26     the name
//
// States and flags are stored last and atomically. A kill leaves all stores before it in place.
const (
	trackMagic   = "ARCHDIRT"
	trackVersion = 1
	trackSlot    = 256

	trackHeaderFrom, trackHeaderTo = 16, 48
	trackFlags                     = 48

	trackVolume = 8
	trackLength = 24
	trackName   = 26
)

const (
	flagOverflow = 1
	flagLost     = 2

	stateFree  = 0
	stateDirty = 1
	stateBad   = 2
)

// Tuning.
const (
	trackFirst = 256     // slots at first: 64 KiB of shared memory
	trackMax   = 1 << 16 // 16 MiB: what is dirty beyond is covered by a syncfs
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// identity tells to whose life and directory a list belongs.
type identity struct {
	boot     [16]byte
	dev, ino uint64
}

func (id identity) put(b []byte) {
	copy(b, id.boot[:])
	binary.LittleEndian.PutUint64(b[16:], id.dev)
	binary.LittleEndian.PutUint64(b[24:], id.ino)
}

// tracker keeps the list. Guarded by Store.mu. A nil one keeps nothing.
type tracker struct {
	path string
	fd   int
	mem  []byte   // of trackMax slots; those below slots have memory behind them
	free []uint32 // slots
	next uint32   // the first slot that was never used
	room uint32   // slots that have memory

	used, unlisted int
	uncovered      bool // a predecessor has left dirty what isn't listed
}

// leftover is an object that a predecessor has left dirty.
type leftover struct {
	volumes []UUID
	slots   []uint32
	bad     bool
}

// take lists an object as dirty for a volume and returns its slot: 0 if there is no room, which the
// header tells then.
func (t *tracker) take(volume UUID, name string) uint32 {
	if t == nil {
		return 0
	}
	n := t.slot()
	if n == 0 {
		t.unlisted++
		t.tellOverflow()
		return 0
	}
	t.used++
	b := t.bytes(n)
	copy(b[trackVolume:], volume[:])
	binary.LittleEndian.PutUint16(b[trackLength:], uint16(len(name)))
	copy(b[trackName:], name)
	binary.LittleEndian.PutUint32(b[4:], slotSum(b, len(name)))
	store32(b, stateDirty)
	return n
}

// slot returns a free one, 0 if there is none.
func (t *tracker) slot() uint32 {
	if last := len(t.free) - 1; last >= 0 {
		n := t.free[last]
		t.free = t.free[:last]
		return n
	}
	if t.next >= t.room && !t.grow() {
		return 0
	}
	t.next++
	return t.next - 1
}

func (t *tracker) release(n uint32) {
	if t == nil {
		return
	}
	if n == 0 {
		t.unlisted--
		t.tellOverflow()
		return
	}
	t.used--
	store32(t.bytes(n), stateFree)
	t.free = append(t.free, n)
}

// setBad notes whether the object of a slot is bad. (One that isn't listed is forgotten as bad when
// this process is killed.)
func (t *tracker) setBad(n uint32, bad bool) {
	switch {
	case t == nil || n == 0:
	case bad:
		store32(t.bytes(n), stateBad)
	default:
		store32(t.bytes(n), stateDirty)
	}
}

// covered notes that what predecessors have left is durable.
func (t *tracker) covered() {
	if t != nil {
		t.uncovered = false
		t.tellOverflow()
	}
}

func (t *tracker) tellOverflow() { t.setFlag(flagOverflow, t.uncovered || t.unlisted > 0) }

func (t *tracker) setFlag(flag uint32, on bool) {
	if t == nil {
		return
	}
	b := t.mem[trackFlags:]
	if on {
		store32(b, load32(b)|flag)
	} else {
		store32(b, load32(b)&^flag)
	}
}

// flagBytes are those of the flags; zeros of a nil tracker.
func (t *tracker) flagBytes() []byte {
	if t == nil {
		return make([]byte, 4)
	}
	return t.mem[trackFlags:]
}

func (t *tracker) bytes(n uint32) []byte {
	return t.mem[n*trackSlot : (n+1)*trackSlot : (n+1)*trackSlot]
}

func slotSum(b []byte, nameLen int) uint32 {
	return crc32.Checksum(b[trackVolume:trackName+nameLen], castagnoli)
}

// reset makes the list an empty one of ours.
func (t *tracker) reset(id identity) {
	clear(t.mem[:trackSlot])
	id.put(t.mem[trackHeaderFrom:])
	binary.LittleEndian.PutUint32(t.mem[12:], headerSum(t.mem))
	binary.LittleEndian.PutUint32(t.mem[8:], trackVersion)
	copy(t.mem, trackMagic)
	t.next, t.free, t.used, t.unlisted = 1, nil, 0, 0
	for n := t.next; n < t.room; n++ {
		store32(t.bytes(n), stateFree)
	}
}

func headerSum(b []byte) uint32 {
	return crc32.Checksum(b[trackHeaderFrom:trackHeaderTo], castagnoli)
}

// isOurs tells whether the list is one that a predecessor has left for us.
func isOurs(mem []byte, id identity) bool {
	var want [trackHeaderTo - trackHeaderFrom]byte
	id.put(want[:])
	return string(mem[:8]) == trackMagic && binary.LittleEndian.Uint32(mem[8:]) == trackVersion &&
		binary.LittleEndian.Uint32(mem[12:]) == headerSum(mem) &&
		string(mem[trackHeaderFrom:trackHeaderTo]) == string(want[:])
}

// load reads what a predecessor has listed. An error means that the list can't be relied on.
func (t *tracker) load() (map[string]*leftover, error) {
	left := map[string]*leftover{}
	var err error
	t.next = t.room
	for n := uint32(1); n < t.room; n++ {
		b := t.bytes(n)
		state := load32(b)
		if state == stateFree {
			t.free = append(t.free, n)
			continue
		}
		name, slotErr := slotName(b, state)
		if slotErr != nil {
			err = fmt.Errorf("slot %d: %w", n, slotErr)
			store32(b, stateFree)
			t.free = append(t.free, n)
			continue
		}
		t.used++
		l := left[name]
		if l == nil {
			l = &leftover{}
			left[name] = l
		}
		l.volumes = append(l.volumes, UUID(b[trackVolume:]))
		l.slots = append(l.slots, n)
		l.bad = l.bad || state == stateBad
	}
	return left, err
}

func slotName(b []byte, state uint32) (string, error) {
	n := int(binary.LittleEndian.Uint16(b[trackLength:]))
	if state > stateBad || n > blocker.NameMax || slotSum(b, n) != binary.LittleEndian.Uint32(b[4:]) {
		return "", fmt.Errorf("state %d, name of %d bytes: %w", state, n, errTrack)
	}
	name := string(b[trackName : trackName+n])
	return name, blocker.CheckName(name)
}
