package audit

import (
	"errors"
	"fmt"
	"math/bits"

	"archipelago/internal/mapfmt"
)

// mapKey is a chunk, or a page of a chunk table.
type mapKey struct {
	id   mapfmt.ChunkID
	page bool
}

func (k mapKey) object() string {
	if k.page {
		return mapfmt.PageName(k.id)
	}
	return mapfmt.ChunkName(k.id)
}

// named is what the records that name a chunk or a page say of it.
type named struct {
	volume  uint32 // a name: that of the volume with the smallest limit
	limit   uint16 // number of its entries that lie in all the volumes that name it
	origins uint16 // number of origins that all of these have
	shift   uint8  // object size = 1 << shift
	live    bool   // not only PENDING volumes name it
	found   bool
}

// chunkRef is a chunk that was read, and who names it.
type chunkRef struct {
	id mapfmt.ChunkID
	named
}

// eachChunk reads every chunk that a record names, once, and calls f with it. The first time it
// reports what is wrong with records, pages and chunks; later it is quiet.
func (c *check) eachChunk(quiet bool, f func(chunkRef, *mapfmt.Chunk) error) error {
	p := newPartition[mapKey, named](c.References)
	for {
		s := &chunkScan{check: c, part: p, quiet: quiet, then: f}
		if err := c.list(StageChunks, c.Maps, mapfmt.RecordPrefix, s.record); err != nil {
			return err
		}
		if err := c.list(StageChunks, c.Maps, mapfmt.ChunkPrefix, s.object); err != nil {
			return err
		}
		s.reportMissing()
		if !p.next() {
			return c.ctx.Err()
		}
	}
}

// chunkScan goes through a part of all chunks.
type chunkScan struct {
	*check
	part  *partition[mapKey, named]
	quiet bool
	then  func(chunkRef, *mapfmt.Chunk) error
}

// record enters what a record names.
func (s *chunkScan) record(object string) error {
	name, err := mapfmt.ParseRecordName(object)
	if err != nil {
		return nil // reported by the first stage
	}
	r, err := s.check.record(name)
	if err != nil {
		return s.ctx.Err() // likewise
	}
	v := s.volumes[r.UUID]
	if v == nil {
		// Made since the first stage.
		v = s.volume(r.UUID)
		v.live, v.name, v.epoch, v.flags = true, s.nameNo(name), r.Epoch, r.Flags
	}
	n := namer{scan: s, rec: r, name: v.name}
	if !r.IsPaged() {
		return n.rows(0, r.Table)
	}
	for no, o := range r.Table {
		if err := n.page(int64(no), o); err != nil {
			return err
		}
	}
	return nil
}

// namer enters what one record names.
type namer struct {
	scan *chunkScan
	rec  *mapfmt.Record
	name uint32
}

func (n *namer) rows(first int64, table []mapfmt.Owner) error {
	for i, o := range table {
		no := first + int64(i)
		if o.IsNone() || no >= n.rec.ChunkCount() {
			continue
		}
		n.checkOwner(mapKey{o.At(no), false}, o)
		n.add(mapKey{o.At(no), false}, n.limit(no))
	}
	return n.scan.ctx.Err()
}

// page enters a page and what it names. A page that can't be read is reported when it is met among
// the objects, or missed there.
func (n *namer) page(no int64, o mapfmt.Owner) error {
	if o.IsNone() {
		return nil
	}
	key := mapKey{o.At(no), true}
	n.checkOwner(key, o)
	n.add(key, 0)
	table, err := read(n.scan.check, key.object(), func(data []byte) ([]mapfmt.Owner, error) {
		return mapfmt.DecodePage(data, key.id)
	})
	if err != nil {
		n.scan.sum.Uncertain = true
		return n.scan.ctx.Err()
	}
	return n.rows(no*mapfmt.PageChunks, table)
}

// limit is how many entries of a chunk lie in the volume. While it is being trimmed there may be
// more.
func (n *namer) limit(no int64) uint16 {
	if n.rec.Flags&mapfmt.FlagTrim != 0 {
		return mapfmt.ChunkEntries
	}
	left := mapfmt.ObjectCount(n.rec.Size, n.rec.ObjectSize) - no*mapfmt.ChunkEntries
	return uint16(min(left, mapfmt.ChunkEntries))
}

func (n *namer) add(key mapKey, limit uint16) {
	shift := uint8(bits.TrailingZeros64(uint64(n.rec.ObjectSize)))
	origins := uint16(len(n.rec.Origins))
	live := n.rec.Flags&mapfmt.FlagPending == 0
	n.scan.part.change(key, func(v named, there bool) named {
		if !there {
			return named{volume: n.name, limit: limit, origins: origins, shift: shift, live: live}
		}
		if v.shift != shift && !n.scan.quiet {
			n.scan.corrupt(key.object(), n.scan.names[n.name],
				"named with objects of %d bytes, and by volume %s with %d",
				int64(1)<<shift, n.scan.names[v.volume], int64(1)<<v.shift)
		}
		if limit < v.limit || live && !v.live {
			v.volume = n.name
		}
		v.limit, v.origins, v.live = min(v.limit, limit), min(v.origins, origins), v.live || live
		return v
	})
}

// checkOwner: what a volume may write in place is named by no other volume. The record of the owner
// is read again, because its epoch may have been raised for this very record.
func (n *namer) checkOwner(key mapKey, o mapfmt.Owner) {
	s := n.scan
	if o.UUID == n.rec.UUID || s.quiet || !s.part.covers(key) || !s.mayWrite(o.UUID, o.Epoch) {
		return
	}
	s.corrupt(key.object(), s.names[n.name], "is shared, but volume %s is still in epoch %d and may write it",
		s.names[s.volumes[o.UUID].name], o.Epoch)
}

// mayWrite says whether (u, epoch) is what a volume may write in place.
func (c *check) mayWrite(u mapfmt.UUID, epoch uint64) bool {
	return c.liveEpoch(u, epoch) == epoch
}

// liveEpoch is the epoch of a volume, 0 if it isn't live. It is read again if what is remembered is
// not above seen.
func (c *check) liveEpoch(u mapfmt.UUID, seen uint64) uint64 {
	v := c.volumes[u]
	if v == nil || !v.live {
		return 0
	}
	if v.epoch > seen {
		return v.epoch
	}
	for _, no := range [2]uint32{v.name, max(v.other, 1) - 1} {
		if r, err := c.record(c.names[no]); err == nil && r.UUID == u {
			v.epoch = max(v.epoch, r.Epoch)
		}
	}
	return v.epoch
}

// object looks at a chunk or page that is there.
func (s *chunkScan) object(object string) error {
	id, page, err := mapfmt.ParseChunkName(object)
	if err != nil {
		if !s.quiet && s.part.first == 0 {
			s.corrupt(object, "", "%v", err)
		}
		return s.ctx.Err()
	}
	key := mapKey{id, page}
	if !s.part.covers(key) {
		return s.ctx.Err()
	}
	if err := s.looked(StageChunks); err != nil {
		return err
	}
	n, isNamed := s.part.keys[key]
	if !s.quiet {
		s.sum.Chunks++
	}
	if !isNamed {
		s.orphan(key)
		return s.ctx.Err()
	}
	n.found = true
	s.part.keys[key] = n
	if page {
		return s.page(key, n)
	}
	return s.chunk(key, n)
}

func (s *chunkScan) orphan(key mapKey) {
	if s.quiet {
		return
	}
	_, allocated, err := s.stat(s.Maps, key.object())
	if err == nil {
		s.reportOrphan(key.object(), false, key.id.Owner, key.id.Epoch, allocated)
	}
}

func (s *chunkScan) page(key mapKey, n named) error {
	_, err := read(s.check, key.object(), func(data []byte) ([]mapfmt.Owner, error) {
		return mapfmt.DecodePage(data, key.id)
	})
	if err != nil && !isMissing(err) && !s.quiet {
		s.unreadable(key.object(), s.names[n.volume], err)
	}
	return s.ctx.Err()
}

func (s *chunkScan) chunk(key mapKey, n named) error {
	ref := chunkRef{key.id, n}
	file, chunk, err := s.readChunk(key.id, int64(1)<<n.shift)
	switch {
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case isMissing(err):
		n.found = false // it has gone since it was listed: see reportMissing
		s.part.keys[key] = n
		return nil
	case err != nil:
		s.sum.Uncertain = true
		if !s.quiet {
			s.unreadable(key.object(), s.names[n.volume], err)
		}
		return nil
	}
	if !s.quiet {
		s.checkChunk(ref, file, chunk)
	}
	return s.then(ref, chunk)
}

func (c *check) readChunk(id mapfmt.ChunkID, objectSize int64) (*mapfmt.ChunkFile, *mapfmt.Chunk, error) {
	type pair struct {
		file  *mapfmt.ChunkFile
		chunk *mapfmt.Chunk
	}
	p, err := read(c, mapfmt.ChunkName(id), func(data []byte) (pair, error) {
		f, ch, err := mapfmt.DecodeChunk(data, id, objectSize)
		return pair{f, ch}, err
	})
	return p.file, p.chunk, err
}

// reportMissing reports what is named and wasn't found, and still isn't there, and is still named.
func (s *chunkScan) reportMissing() {
	if s.ctx.Err() != nil {
		return
	}
	for key, n := range s.part.keys {
		if n.found {
			continue
		}
		s.sum.Uncertain = true
		if s.quiet || !s.isMissed(key, n) {
			continue
		}
		f := Finding{
			Severity: Loss, Object: key.object(), Volume: s.names[n.volume],
			Cause: "the volume names it, and it is not there", Remedy: remedyNone,
		}
		if !n.live {
			f.Severity, f.Remedy = HalfDone, remedyOpen
			f.Cause = "a PENDING volume names it, and it is not there"
		}
		s.report(f)
	}
}

func (s *chunkScan) isMissed(key mapKey, n named) bool {
	r, err := s.check.record(s.names[n.volume])
	if isMissing(err) {
		return false
	}
	if err == nil && !key.page && !r.IsPaged() {
		no := key.id.No
		if no >= int64(len(r.Table)) || r.Table[no] != (mapfmt.Owner{UUID: key.id.Owner, Epoch: key.id.Epoch}) {
			return false
		}
	}
	_, _, err = s.stat(s.Maps, key.object())
	return isMissing(err)
}

// checkChunk looks at entries for what the format can't tell.
func (s *chunkScan) checkChunk(ref chunkRef, file *mapfmt.ChunkFile, chunk *mapfmt.Chunk) {
	object, volume := mapfmt.ChunkName(ref.id), s.names[ref.volume]
	if file.Torn > 0 {
		s.report(Finding{
			Severity: HalfDone, Object: object, Volume: volume,
			Cause: fmt.Sprintf("torn tail of %d bytes", file.Torn), Remedy: remedyTail,
		})
	}
	chunk.All(func(i int, e *mapfmt.Entry) bool {
		if err := s.checkEntry(ref, i, e); err != nil {
			s.corrupt(object, volume, "entry %d: %v", i, err)
		}
		return s.ctx.Err() == nil
	})
}

func (s *chunkScan) checkEntry(ref chunkRef, i int, e *mapfmt.Entry) error {
	size := int64(1) << ref.shift
	if i >= int(ref.limit) {
		return errors.New("lies beyond the end of the volume")
	}
	if e.Normalize(size) != *e {
		return errors.New("is not in its normal form")
	}
	if origin, _ := e.Foreign(); e.Bottom == mapfmt.BottomForeign && origin >= uint32(ref.origins) {
		return fmt.Errorf("refers to origin %d of %d", origin, ref.origins)
	}
	for _, l := range e.Levels[:e.NumLevels] {
		if l.UUID == ref.id.Owner && l.Epoch > ref.id.Epoch {
			return fmt.Errorf("names an object of epoch %d, later than the chunk's", l.Epoch)
		}
		if (l.UUID != ref.id.Owner || l.Epoch != ref.id.Epoch) && s.mayWrite(l.UUID, l.Epoch) {
			return fmt.Errorf("shares an object with volume %s, which is still in epoch %d and may write it",
				s.names[s.volumes[l.UUID].name], l.Epoch)
		}
	}
	return nil
}
