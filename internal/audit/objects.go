package audit

import (
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// objectRef says who names an object.
type objectRef struct {
	chunk uint32 // in objectScan.chunks
	found bool
}

// objectScan goes through a part of all objects.
type objectScan struct {
	*check
	part   *partition[mapfmt.ObjectID, objectRef]
	chunks []chunkRef // that name an object of this part
	batch  []objectStat
	ops    []blocker.Op
}

// objectStat is an object that was listed and whose size is to be asked for.
type objectStat struct {
	id   mapfmt.ObjectID
	name string
}

// statsAtOnce is how many objects are asked for their size at the same time. Tuning.
const statsAtOnce = 64

// scanObjects compares what chunks name with what is there.
func (c *check) scanObjects() error {
	p := newPartition[mapfmt.ObjectID, objectRef](c.References)
	for {
		c.sum.Passes++
		s := &objectScan{check: c, part: p}
		if err := c.eachChunk(c.sum.Passes > 1, s.enter); err != nil {
			return err
		}
		if err := c.list(StageObjects, c.Blocks, "", s.object); err != nil {
			return err
		}
		if err := s.measure(); err != nil {
			return err
		}
		s.reportMissing()
		if !p.next() {
			return c.ctx.Err()
		}
	}
}

// enter enters the objects that a chunk names.
func (s *objectScan) enter(ref chunkRef, chunk *mapfmt.Chunk) error {
	s.chunks = append(s.chunks, ref)
	by, used := uint32(len(s.chunks)-1), false
	chunk.All(func(i int, e *mapfmt.Entry) bool {
		for _, l := range e.Levels[:e.NumLevels] {
			id := mapfmt.ObjectOf(ref.id.No*mapfmt.ChunkEntries+int64(i), l)
			s.part.change(id, func(r objectRef, there bool) objectRef {
				// A volume that is real counts more than a PENDING one.
				if !there || ref.live && !s.chunks[r.chunk].live {
					r.chunk, used = by, true
				}
				return r
			})
		}
		return true
	})
	if !used {
		s.chunks = s.chunks[:by]
	}
	return s.ctx.Err()
}

// object takes a name of the data blocker.
func (s *objectScan) object(name string) error {
	if err := s.looked(StageObjects); err != nil {
		return err
	}
	id, err := mapfmt.ParseObjectName(name)
	if err != nil {
		if s.part.first == 0 {
			s.sum.Foreign++
		}
		return nil
	}
	if !s.part.covers(id) {
		return nil
	}
	s.batch = append(s.batch, objectStat{id, name})
	if len(s.batch) < statsAtOnce {
		return nil
	}
	return s.measure()
}

// measure asks for the sizes of a batch of objects, all at once, and judges them.
func (s *objectScan) measure() error {
	if s.ops == nil {
		s.ops = make([]blocker.Op, statsAtOnce)
	}
	done := make(chan struct{}, len(s.batch))
	for i := range s.batch {
		s.ops[i] = blocker.Op{
			Kind: blocker.Stat, Name: s.batch[i].name, Term: s.Term,
			Done: func(*blocker.Op) { done <- struct{}{} },
		}
		s.Blocks.Submit(&s.ops[i])
	}
	for range s.batch {
		<-done
	}
	for i := range s.batch {
		s.judge(&s.batch[i], &s.ops[i])
	}
	s.batch = s.batch[:0]
	return s.ctx.Err()
}

// judge looks at one object.
func (s *objectScan) judge(o *objectStat, op *blocker.Op) {
	if isMissing(op.Err) {
		return // it has gone since it was listed
	}
	s.sum.Objects++
	s.sum.Bytes += op.Allocated
	r, isNamed := s.part.keys[o.id]
	volume := ""
	if isNamed {
		r.found = true
		s.part.keys[o.id] = r
		volume = s.volumeOf(r)
	}
	f := Finding{Severity: Corrupt, Object: o.name, Data: true, Volume: volume, Remedy: remedyNone}
	switch {
	case op.Err != nil:
		f.Cause = op.Err.Error()
		s.report(f)
	case !isNamed:
		s.reportOrphan(o.name, true, o.id.UUID, o.id.Epoch, op.Allocated)
	case op.N > s.objectSize(r):
		f.Cause = fmt.Sprintf("%d bytes are more than the %d of an object", op.N, s.objectSize(r))
		s.report(f)
	}
}

func (s *objectScan) volumeOf(r objectRef) string { return s.names[s.chunks[r.chunk].volume] }

func (s *objectScan) objectSize(r objectRef) int64 { return 1 << s.chunks[r.chunk].shift }

// reportMissing reports what is named and isn't there: neither when the names were listed nor now,
// while the chunk still names it.
func (s *objectScan) reportMissing() {
	for id, r := range s.part.keys {
		if r.found || s.ctx.Err() != nil {
			continue
		}
		name := mapfmt.ObjectName(id)
		if _, _, err := s.stat(s.Blocks, name); !isMissing(err) || !s.isNamed(id, r) {
			continue
		}
		ref := s.chunks[r.chunk]
		f := Finding{
			Severity: Loss, Object: name, Data: true, Volume: s.volumeOf(r), Remedy: remedyNone,
			Cause: fmt.Sprintf("entry %d of %s names it, and it is not there",
				id.Index%mapfmt.ChunkEntries, mapfmt.ChunkName(ref.id)),
		}
		if !ref.live {
			f.Severity, f.Remedy = HalfDone, remedyOpen
		}
		s.report(f)
	}
}

// isNamed says whether the chunk still names the object, read afresh.
func (s *objectScan) isNamed(id mapfmt.ObjectID, r objectRef) bool {
	ref := s.chunks[r.chunk]
	_, chunk, err := s.readChunk(ref.id, s.objectSize(r))
	if err != nil {
		return !isMissing(err)
	}
	e := chunk.Get(int(id.Index % mapfmt.ChunkEntries))
	for _, l := range e.Levels[:e.NumLevels] {
		if mapfmt.ObjectOf(id.Index, l) == id {
			return true
		}
	}
	return false
}

// reportOrphan says of something that nothing names what it is, by the rules of garbage collection.
func (c *check) reportOrphan(object string, data bool, u mapfmt.UUID, epoch uint64, allocated int64) {
	f := Finding{Severity: Orphan, Object: object, Data: data, Bytes: allocated}
	v := c.volumes[u]
	if v != nil && v.live {
		f.Volume = c.names[v.name]
	}
	switch live := c.liveEpoch(u, epoch); {
	case live > epoch:
		f.Cause, f.Remedy = fmt.Sprintf("no entry names it, and its volume is past epoch %d", epoch), remedyGC
	case live == epoch && live > 0:
		f.Cause, f.Remedy = "no stored entry names it, and it is of the present epoch", remedyOwner
	case live > 0:
		f.Severity, f.Remedy, f.Bytes = Corrupt, remedyNone, 0
		f.Cause = fmt.Sprintf("of epoch %d, but its volume is only in epoch %d", epoch, live)
	case v != nil && v.buried:
		f.Cause, f.Remedy = "its volume was removed, and no other names it", remedyGC
	default:
		f.Cause, f.Remedy = "neither a record nor a tombstone is of its volume", remedyUnknown
	}
	if f.Severity == Orphan && c.sum.Uncertain {
		f.Remedy = remedyReadable
	}
	c.report(f)
}
