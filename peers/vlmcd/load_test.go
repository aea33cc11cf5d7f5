package vlmcd

import (
	"encoding/binary"
	"fmt"
	"slices"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// load drives a world with random requests on a family of volumes and checks every answer.
type load struct {
	w       *world
	vols    []*volumeUnderTest
	live    []*request
	serial  uint64
	names   int
	flushed map[*volumeUnderTest]int // when the last good flush began
	// allowErr lets requests fail with EIO.
	allowErr bool
}

// volumeUnderTest is a volume or snapshot and what it may hold.
type volumeUnderTest struct {
	info     mapper.Info
	h        *history
	snapshot bool
	of       *volumeUnderTest // a snapshot's volume, until its content is known
	taken    [2]int           // when the snapshot began and ended
	values   []uint64         // of a snapshot, once read
}

// request is one that a client has made: it is pushed again to every new engine until it ends.
type request struct {
	l     *load
	v     *volumeUnderTest
	op    *Op
	kind  Kind
	flags Flags
	first int // sector
	count int
	value uint64
	wrote *write
	rolls []*write // what a rollback makes of each sector
	token uint64
	id    [16]byte
	other string
	start int
	ended func(*request, *Op)
}

func newLoad(w *world, size, objectSize int64) *load {
	l := &load{w: w, flushed: map[*volumeUnderTest]int{}}
	l.add(w.maps.create("v0", size, objectSize), make([]uint64, size/mapfmt.SectorSize))
	return l
}

func (l *load) add(info mapper.Info, initial []uint64) *volumeUnderTest {
	v := &volumeUnderTest{info: info, h: newHistory(l.w.t, info.Name, initial)}
	l.vols = append(l.vols, v)
	l.flushed[v] = -1
	return v
}

// push gives the request to the engine.
func (r *request) push() {
	op := &Op{Kind: r.kind, Flags: r.flags, Volume: r.v.info.UUID, Name: []byte(r.v.info.Name), RequestID: r.id,
		Other: r.other, Token: r.token, Offset: int64(r.first) * mapfmt.SectorSize, Length: int64(r.count) * mapfmt.SectorSize}
	switch r.kind {
	case Read:
		op.Data = make([]byte, op.Length)
		for i := range op.Data {
			op.Data[i] = 0xee
		}
	case Write:
		op.Data = make([]byte, op.Length)
		fillSectors(op.Data, r.value)
	}
	r.op = op
	op.Done = func(op *Op) {
		if r.op != op {
			r.l.w.t.Fatalf("an operation ended twice, or for an engine that is dead")
		}
		r.op = nil
		r.end(op)
	}
	r.l.w.engine.Submit(op)
}

func (r *request) end(op *Op) {
	l := r.l
	l.w.now++
	l.live = slices.DeleteFunc(l.live, func(o *request) bool { return o == r })
	n := mapper.Errno(op.Err)
	late := r.token != 0 && n == mapper.ErrStale.Errno() // the freeze has ended
	if op.Err != nil && !late && !(l.allowErr && n == mapper.ErrIO.Errno()) {
		l.w.t.Fatalf("%d on %s: %v", r.kind, r.v.info.Name, op.Err)
	}
	if r.wrote != nil {
		r.wrote.end = l.w.now
		r.wrote.maybe = r.wrote.maybe || op.Err != nil
		r.wrote.durable = r.flags&FlagFUA != 0 && !r.wrote.maybe
	}
	for _, w := range r.rolls {
		w.end = l.w.now
		w.durable, w.maybe = op.Err == nil, op.Err != nil
	}
	if op.Err != nil {
		return
	}
	switch {
	case r.kind == Read:
		r.readEnded(op)
	case r.kind == Flush:
		l.flushed[r.v] = max(l.flushed[r.v], r.start)
	}
	if r.ended != nil {
		r.ended(r, op)
	}
}

func (r *request) readEnded(op *Op) {
	v := r.v
	if !v.snapshot {
		v.h.read(r.first, op.Data, r.start, r.l.w.now)
		return
	}
	for i := range r.count {
		value, whole := sectorValue(op.Data[i*mapfmt.SectorSize:])
		if !whole {
			r.l.w.t.Fatalf("%s: sector %d is torn", v.info.Name, r.first+i)
		}
		if v.values != nil && v.values[r.first+i] != value {
			r.l.w.t.Fatalf("%s: sector %d has changed from %d to %d", v.info.Name, r.first+i, v.values[r.first+i], value)
		}
	}
}

func (l *load) request(v *volumeUnderTest, kind Kind, first, count int) *request {
	l.serial++
	l.w.now++
	r := &request{l: l, v: v, kind: kind, first: first, count: count, start: l.w.now}
	binary.LittleEndian.PutUint64(r.id[:], l.serial)
	switch kind {
	case Write:
		r.value = l.serial
		r.wrote = v.h.begin(first, count, r.value, r.start)
	case WriteZeroes:
		r.wrote = v.h.begin(first, count, 0, r.start)
	case Discard:
		r.wrote = v.h.begin(first, count, 0, r.start)
		r.wrote.maybe = true
	}
	l.live = append(l.live, r)
	return r
}

// io makes a random request on a random volume.
func (l *load) io() {
	rng := l.w.rng
	v := l.vols[rng.IntN(len(l.vols))]
	sectors := int(v.info.Size / mapfmt.SectorSize)
	first := rng.IntN(sectors)
	count := 1 + rng.IntN(min(sectors-first, []int{1, 4, 16, 64, 300}[rng.IntN(5)]))
	if rng.IntN(3) == 0 { // aligned to 4 KiB
		first, count = first&^7, min((count+7)&^7, sectors-first&^7)
	}
	kind := []Kind{Read, Read, Write, Write, Write, WriteZeroes, Discard, Flush}[rng.IntN(8)]
	if rng.IntN(12) == 0 { // whole objects
		per := int(v.info.ObjectSize / mapfmt.SectorSize)
		first -= first % per
		count = min(per*(1+rng.IntN(2)), sectors-first)
		kind = []Kind{Discard, WriteZeroes, Flatten}[rng.IntN(3)]
	}
	if v.snapshot && kind != Read {
		return
	}
	if kind == Flush {
		first, count = 0, 0
	}
	r := l.request(v, kind, first, count)
	if rng.IntN(6) == 0 && kind != Read && kind != Flush && kind != Flatten {
		r.flags |= FlagFUA
	}
	r.push()
}

// snapshot makes a snapshot of a random volume, and in the end a volume under test of it.
func (l *load) snapshot() {
	v := l.vols[l.w.rng.IntN(len(l.vols))]
	if v.snapshot {
		return
	}
	l.snapshotOf(v, 0)
}

// snapshotOf makes a snapshot, under the freeze of a token or under one of its own.
func (l *load) snapshotOf(v *volumeUnderTest, token uint64) {
	l.names++
	r := l.request(v, Snapshot, 0, 0)
	r.token = token
	r.other = fmt.Sprintf("s%d", l.names)
	r.ended = func(r *request, op *Op) {
		s := l.add(op.Info, make([]uint64, len(v.h.wrote)))
		s.snapshot, s.of, s.taken = true, v, [2]int{r.start, l.w.now}
		s.info.Name = r.other
		l.learn(s)
	}
	r.push()
}

// learn reads a snapshot whole, once, and checks that it is of one point in time.
func (l *load) learn(s *volumeUnderTest) {
	r := l.request(s, Read, 0, len(s.h.wrote))
	r.ended = func(r *request, op *Op) {
		values := make([]uint64, r.count)
		for i := range values {
			values[i], _ = sectorValue(op.Data[i*mapfmt.SectorSize:])
		}
		s.of.h.snapshot(values, s.taken[0], s.taken[1])
		s.values = values
	}
	r.push()
}

// clone makes a volume of a random snapshot whose content is known.
func (l *load) clone() {
	v := l.vols[l.w.rng.IntN(len(l.vols))]
	if v.values == nil {
		return
	}
	l.names++
	l.add(l.w.maps.clone(fmt.Sprintf("v%d", l.names), v.info.Name), v.values)
}

// rollback makes a random volume as a random snapshot is whose content is known.
func (l *load) rollback() {
	v, s := l.vols[l.w.rng.IntN(len(l.vols))], l.vols[l.w.rng.IntN(len(l.vols))]
	if v.snapshot || s.values == nil {
		return
	}
	r := l.request(v, Rollback, 0, 0)
	r.other = s.info.Name
	for sector, value := range s.values {
		r.rolls = append(r.rolls, v.h.begin(sector, 1, value, r.start))
	}
	r.push()
}

// hold freezes a random volume, and makes a snapshot under that, or lets it go, or does neither.
func (l *load) hold() {
	v := l.vols[l.w.rng.IntN(len(l.vols))]
	if v.snapshot {
		return
	}
	r := l.request(v, Freeze, 0, 0)
	r.ended = func(_ *request, op *Op) {
		switch l.w.rng.IntN(4) {
		case 0: // it ends by itself
		case 1:
			t := l.request(v, Thaw, 0, 0)
			t.token = op.Token
			t.push()
		default:
			l.snapshotOf(v, op.Token)
		}
	}
	r.push()
}

// closeOne closes a random volume: its requests open it again.
func (l *load) closeOne() {
	v := l.vols[l.w.rng.IntN(len(l.vols))]
	l.request(v, Close, 0, 0).push()
}

// kill kills the engine. Some clients die with it; the others push again.
func (l *load) kill() {
	l.w.kill()
	live := l.live
	l.live = nil
	l.w.rng.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
	for _, r := range live {
		r.op = nil
		if (r.kind <= Discard || r.kind == Flatten) && r.ended == nil && l.w.rng.IntN(4) == 0 {
			if r.wrote != nil {
				r.wrote.end, r.wrote.maybe = l.w.now, true
			}
			continue
		}
		l.live = append(l.live, r)
		if r.kind == Read && !r.v.snapshot {
			// What a killed engine has read doesn't count; the client has waited all the time.
			r.start = l.w.now
		}
		r.push()
	}
}

// verify reads all volumes whole.
func (l *load) verify() {
	l.w.drain()
	if len(l.live) > 0 {
		l.w.t.Fatalf("%d requests never end, the first: %d on %s at %d", len(l.live), l.live[0].kind,
			l.live[0].v.info.Name, l.live[0].first)
	}
	for _, v := range slices.Clone(l.vols) {
		l.request(v, Read, 0, len(v.h.wrote)).push()
		l.w.drain()
	}
	if len(l.live) > 0 {
		l.w.t.Fatal("a read never ends")
	}
}

// powerCut cuts the power and checks what is left.
func (l *load) powerCut() {
	w := l.w
	w.gen++
	w.events = nil
	w.store = w.store.PowerCut(w.rng.IntN)
	w.maps.powerCut()
	w.now++
	w.again, w.fail = 0, nil
	w.start()
	l.live = nil
	for _, v := range l.vols {
		if v.snapshot {
			l.request(v, Read, 0, len(v.h.wrote)).push()
			w.drain()
			continue
		}
		ended := false
		op := &Op{Kind: Read, Volume: v.info.UUID, Name: []byte(v.info.Name),
			Data: make([]byte, v.info.Size), Done: func(op *Op) { ended = true }}
		w.engine.Submit(op)
		w.drain()
		if !ended || op.Err != nil {
			w.t.Fatalf("after a power cut %s can't be read: %v", v.info.Name, op.Err)
		}
		values := make([]uint64, len(v.h.wrote))
		for i := range values {
			value, whole := sectorValue(op.Data[i*mapfmt.SectorSize:])
			if !whole {
				w.t.Fatalf("after a power cut sector %d of %s is torn", i, v.info.Name)
			}
			values[i] = value
		}
		v.h.lostBy(values, l.flushed[v])
	}
}
