package xseg

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"time"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
)

// VolumeOp is what the counters of a volume tell apart.
type VolumeOp int

// Kinds of requests on a volume.
const (
	VolumeRead    VolumeOp = abi.VolumeOpRead
	VolumeWrite   VolumeOp = abi.VolumeOpWrite
	VolumeFlush   VolumeOp = abi.VolumeOpFlush
	VolumeDiscard VolumeOp = abi.VolumeOpDiscard // and WRITE_ZEROES
	VolumeOps              = int(abi.VolumeOps)
)

// VolumeRow is a row of the volume table that a port of ours owns: the counters of one volume that
// it serves. All methods: on the port's loop only. What was counted reaches the segment after a
// millisecond at most, or when the loop rests. A nil row counts nothing.
type VolumeRow struct {
	port *Port
	id   int
	uuid UUID
	row  *abi.Volume // nil: released

	depth int64
	used  int64 // monotonic time of the last End, or of the claim
	dirty bool  // in Loop.counted
	ops   [VolumeOps]volumeTally
}

// volumeTally is what was counted since the counters in the segment were brought up to date.
type volumeTally struct {
	requests, errors, bytes uint64
	latency                 [abi.HistBuckets]uint32
	touched                 uint32 // bit per bucket of latency that isn't 0
}

// UUID returns the volume that the row is of.
func (r *VolumeRow) UUID() UUID { return r.uuid }

// Begin counts a request that is under way from now on.
func (r *VolumeRow) Begin() {
	if r != nil {
		r.depth++
		r.mark()
	}
}

// End counts one that Begin was told of and that has ended: received is Request.Received; 0 if its
// latency isn't to be counted. bytes is what it covered; it isn't counted if it failed.
func (r *VolumeRow) End(op VolumeOp, bytes, received int64, failed bool) {
	if r == nil {
		return
	}
	r.depth--
	r.used = r.port.loop.now
	t := &r.ops[op]
	t.requests++
	if failed {
		t.errors++
	} else {
		t.bytes += uint64(bytes)
	}
	if received != 0 {
		b := bucket(r.port.loop.took(received))
		t.latency[b]++
		t.touched |= 1 << b
	}
	r.mark()
}

// took returns how long ago received is. The clock of the batch will do, but for what was received
// in the same batch.
func (l *Loop) took(received int64) int64 {
	if received == l.now {
		return shm.Monotonic() - received
	}
	return l.now - received
}

// Idle tells how long the row has counted nothing; 0 while requests are under way.
func (r *VolumeRow) Idle() time.Duration {
	if r.depth > 0 {
		return 0
	}
	return time.Duration(r.port.loop.now - r.used)
}

func (r *VolumeRow) mark() {
	if !r.dirty {
		r.dirty = true
		r.port.loop.counted = append(r.port.loop.counted, r)
	}
}

// publish brings the counters in the segment up to date.
func (r *VolumeRow) publish() {
	r.dirty = false
	if r.row == nil { // released
		return
	}
	r.row.Depth.Store(uint64(max(r.depth, 0)))
	for i := range r.ops {
		r.ops[i].publish(&r.row.Ops[i])
	}
}

// publish adds the tally to c and clears it.
func (t *volumeTally) publish(c *abi.VolumeOp) {
	if t.requests == 0 {
		return
	}
	c.Requests.Add(t.requests)
	if t.errors != 0 {
		c.Errors.Add(t.errors)
	}
	if t.bytes != 0 {
		c.Bytes.Add(t.bytes)
	}
	t.requests, t.errors, t.bytes = 0, 0, 0
	for ; t.touched != 0; t.touched &= t.touched - 1 {
		b := bits.TrailingZeros32(t.touched)
		c.Latency[b].Add(uint64(t.latency[b]))
		t.latency[b] = 0
	}
}

// Describe says, for readers, what the volume is called and how large it is.
func (r *VolumeRow) Describe(name string, size int64) {
	if r == nil || r.row == nil {
		return
	}
	v := r.row
	v.Seq.Add(1) // odd: readers look again
	v.Port.Store(uint32(r.port.no))
	v.Size.Store(uint64(size))
	storeWords(v.Uuid[:], r.uuid[:])
	var text [abi.VolumeNameMax]byte
	v.NameSize.Store(uint32(copy(text[:], name)))
	storeWords(v.Name[:], text[:])
	v.Seq.Add(1)
}

func storeWords(to []atomic.Uint64, b []byte) {
	for i := range to {
		to[i].Store(binary.LittleEndian.Uint64(b[8*i:]))
	}
}

func loadWords(b []byte, from []atomic.Uint64) {
	for i := range from {
		binary.LittleEndian.PutUint64(b[8*i:], from[i].Load())
	}
}
