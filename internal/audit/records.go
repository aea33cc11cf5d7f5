package audit

import (
	"errors"
	"fmt"
	"strings"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// volume is what is remembered of a record or tombstones.
type volume struct {
	epoch     uint64
	flags     mapfmt.Flags
	live      bool // there is a record
	name      uint32
	other     uint32 // name of the second record while it is being renamed, plus 1
	buried    bool   // there is a tombstone
	tombstone uint64 // its epoch; the highest one
	moving    mapfmt.OpID
}

// nameNo remembers a name of a volume.
func (c *check) nameNo(name string) uint32 {
	c.names = append(c.names, name)
	return uint32(len(c.names) - 1)
}

func (c *check) volume(u mapfmt.UUID) *volume {
	v := c.volumes[u]
	if v == nil {
		v = &volume{}
		c.volumes[u] = v
	}
	return v
}

// scanMaps looks at everything at the map blocker but chunks and pages, and at the locks. Names
// come in byte order: tombstones before records.
func (c *check) scanMaps() error {
	err := c.list(StageRecords, c.Maps, "", func(object string) error {
		if strings.HasPrefix(object, mapfmt.ChunkPrefix) {
			return c.ctx.Err()
		}
		if err := c.looked(StageRecords); err != nil {
			return err
		}
		return c.scanMapObject(object)
	})
	if err != nil {
		return err
	}
	c.checkHeader()
	return c.ctx.Err()
}

func (c *check) scanMapObject(object string) error {
	switch {
	case strings.HasPrefix(object, mapfmt.RecordPrefix):
		return c.scanRecord(object)
	case strings.HasPrefix(object, mapfmt.TombstonePrefix):
		return c.scanTombstone(object)
	case strings.HasPrefix(object, mapfmt.LeasePrefix):
		return c.scanLease(object)
	case strings.HasPrefix(object, mapfmt.GroupPrefix):
		return c.scanGroup(object)
	case object != mapfmt.StoreHeaderName:
		_, allocated, _ := c.stat(c.Maps, object)
		c.report(Finding{
			Severity: Orphan, Object: object, Cause: "not a name of this format",
			Remedy: remedyUnknown, Bytes: allocated,
		})
	}
	return nil
}

// checkHeader: a store that holds anything has a header, for that comes first.
func (c *check) checkHeader() {
	_, err := read(c, mapfmt.StoreHeaderName, mapfmt.DecodeStoreHeader)
	if isMissing(err) && c.sum.Volumes == 0 {
		return // never used
	}
	if err != nil {
		c.corrupt(mapfmt.StoreHeaderName, "", "%v", err)
	}
}

func (c *check) scanLease(object string) error {
	node, err := mapfmt.ParseLeaseName(object)
	if err == nil {
		var l *mapfmt.Lease
		if l, err = read(c, object, mapfmt.DecodeLease); err == nil && l.Node != node {
			err = fmt.Errorf("is of node %s: %w", l.Node, mapfmt.ErrCorrupt)
		}
	}
	if err != nil && !isMissing(err) {
		c.corrupt(object, "", "%v", err)
	}
	return c.ctx.Err()
}

// scanGroup looks at a decision about a group of snapshots. It goes when all members have heard it.
func (c *check) scanGroup(object string) error {
	id, err := mapfmt.ParseGroupName(object)
	var g *mapfmt.Group
	if err == nil {
		if g, err = read(c, object, mapfmt.DecodeGroup); err == nil && g.ID != id {
			err = fmt.Errorf("is group %s: %w", mapfmt.FormatUUID(g.ID), mapfmt.ErrCorrupt)
		}
	}
	switch {
	case isMissing(err) || c.ctx.Err() != nil:
	case err != nil:
		c.corrupt(object, "", "%v", err)
	default:
		c.reportGroup(object, g)
	}
	return c.ctx.Err()
}

// reportGroup: a decision that all members have heard of is a leftover. One that gave a group up
// may be needed by members that are still on their way, and is left alone.
func (c *check) reportGroup(object string, g *mapfmt.Group) {
	f := Finding{Severity: Orphan, Object: object, Cause: "a group of snapshots was given up", Remedy: remedyGC}
	if g.State == mapfmt.GroupReal {
		f.Cause, f.Remedy = "all snapshots of the group have heard that it is real", remedyRepair
		for _, name := range g.Members {
			r, err := c.record(name)
			if err == nil && r.Flags&mapfmt.FlagPending == 0 || isMissing(err) {
				continue
			}
			f.Severity, f.Volume, f.Remedy = HalfDone, name, remedyMembers
			f.Cause = "the group of snapshots is real, but not all of them have heard of it"
			break
		}
		if f.Severity == Orphan {
			c.repair(&f)
		}
	}
	c.report(f)
}

func (c *check) scanTombstone(object string) error {
	u, epoch, err := mapfmt.ParseTombstoneName(object)
	var t *mapfmt.Tombstone
	if err == nil {
		t, err = read(c, object, mapfmt.DecodeTombstone)
	}
	switch {
	case c.ctx.Err() != nil || isMissing(err):
		return c.ctx.Err()
	case err != nil:
		c.corrupt(object, "", "%v", err)
		return nil
	case t.Record.UUID != u || t.Record.Epoch != epoch:
		c.corrupt(object, t.Name, "holds the record of %s.%d",
			mapfmt.FormatUUID(t.Record.UUID), t.Record.Epoch)
		return nil
	}
	c.sum.Tombstones++
	c.bury(u, epoch, t.Name)
	return nil
}

// bury remembers a tombstone; of two of a volume the newer one counts.
func (c *check) bury(u mapfmt.UUID, epoch uint64, name string) {
	v := c.volume(u)
	if v.buried {
		old := min(v.tombstone, epoch)
		f := Finding{
			Severity: HalfDone, Object: mapfmt.TombstoneName(u, old), Volume: name,
			Cause:  fmt.Sprintf("superseded by the tombstone of epoch %d", max(v.tombstone, epoch)),
			Remedy: remedyRepair,
		}
		c.repair(&f)
		c.report(f)
	}
	v.buried, v.tombstone = true, max(v.tombstone, epoch)
}

// repair removes an object of the map blocker that nothing rests on.
func (c *check) repair(f *Finding) {
	if !c.Repair {
		return
	}
	op := blocker.Op{Kind: blocker.Delete, Flags: blocker.FlagFUA, Name: f.Object, Term: c.Term}
	if err := blocker.Do(c.Maps, &op); err != nil && !isMissing(err) {
		f.Cause += fmt.Sprintf("; it can't be removed: %v", err)
		return
	}
	f.Repaired, f.Remedy = true, "removed"
}

func (c *check) scanRecord(object string) error {
	name, err := mapfmt.ParseRecordName(object)
	var r *mapfmt.Record
	if err == nil {
		r, err = c.record(name)
	}
	switch {
	case c.ctx.Err() != nil || isMissing(err):
		return c.ctx.Err()
	case err != nil:
		c.sum.Volumes++
		c.unreadable(object, name, err)
		return nil
	}
	c.sum.Volumes++
	c.enter(name, r)
	c.checkRecord(name, r)
	if r.Flags&mapfmt.FlagReadOnly == 0 {
		c.checkLock(name, r.UUID)
	}
	return c.ctx.Err()
}

// enter remembers a volume. Two records of a UUID are right only while one becomes the other.
func (c *check) enter(name string, r *mapfmt.Record) {
	v := c.volume(r.UUID)
	no := c.nameNo(name)
	if !v.live {
		v.live, v.name, v.epoch, v.flags = true, no, r.Epoch, r.Flags
		v.moving = renaming(r)
	} else {
		if v.other != 0 || v.moving == (mapfmt.OpID{}) || v.moving != renaming(r) || v.flags&r.Flags&renameFlags != 0 {
			c.corrupt(mapfmt.RecordName(name), name, "has the UUID of volume %s, %s",
				c.names[v.name], mapfmt.FormatUUID(r.UUID))
		}
		v.other, v.epoch = no+1, max(v.epoch, r.Epoch)
	}
	if v.buried {
		c.halfDone(name, remedyRemove, "its removal was begun: there is a tombstone of epoch %d", v.tombstone)
	}
}

const renameFlags = mapfmt.FlagMoving | mapfmt.FlagFrom

// renaming is the id of the rename that the record is part of.
func renaming(r *mapfmt.Record) mapfmt.OpID {
	for _, m := range r.Marks {
		if m.Flag&renameFlags != 0 {
			return m.ID
		}
	}
	return mapfmt.OpID{}
}

func (c *check) halfDone(volume, remedy, format string, args ...any) {
	c.report(Finding{
		Severity: HalfDone, Object: mapfmt.RecordName(volume), Volume: volume,
		Cause: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// checkRecord looks at what the format can't tell: the format itself was checked.
func (c *check) checkRecord(name string, r *mapfmt.Record) {
	object := mapfmt.RecordName(name)
	if r.Epoch == 0 {
		c.corrupt(object, name, "epoch 0")
	}
	for _, o := range r.Table {
		if o.UUID == r.UUID && o.Epoch > r.Epoch {
			c.corrupt(object, name, "names a chunk of epoch %d, but is in epoch %d", o.Epoch, r.Epoch)
			break
		}
	}
	for _, m := range r.Marks {
		c.checkMark(name, r, m)
	}
}

func (c *check) checkMark(name string, r *mapfmt.Record, m mapfmt.Mark) {
	switch m.Flag {
	case mapfmt.FlagPending:
		if m.Name == "" {
			c.halfDone(name, remedyOpen, "PENDING: is a member of group %s, which may be unfinished",
				mapfmt.FormatUUID(m.ID))
			return
		}
		c.halfDone(name, remedyOpen, "PENDING: whether %s was there all the time has yet to be checked", m.Name)
	case mapfmt.FlagMoving:
		c.halfDone(name, remedyAnyOp, "MOVING: is being renamed to %s", m.Name)
	case mapfmt.FlagFrom:
		c.halfDone(name, remedyAnyOp, "FROM: is being renamed from %s", m.Name)
	case mapfmt.FlagTrim:
		c.halfDone(name, remedyOpen, "TRIM: what lies beyond byte %d has yet to go", m.Offset)
	}
	if m.Flag != mapfmt.FlagTrim && mapfmt.CheckVolumeName(m.Name) != nil {
		c.corrupt(mapfmt.RecordName(name), name, "mark %d names %q, which is no volume's name", m.Flag, m.Name)
	}
	if r.Flags&mapfmt.FlagReadOnly != 0 && m.Flag == mapfmt.FlagTrim {
		c.corrupt(mapfmt.RecordName(name), name, "a snapshot is never trimmed")
	}
}

// checkLock reads the newest generation of a lock. Chains can't be listed: those of volumes that
// are gone aren't seen.
func (c *check) checkLock(name string, u mapfmt.UUID) {
	object := mapfmt.LockName(u)
	op := blocker.Op{
		Kind: blocker.LockRead, Volume: u, Name: object, Data: make([]byte, blocker.MaxLock), Term: c.Term,
	}
	err := blocker.Do(c.Maps, &op)
	if err == nil && op.Generation > 0 {
		_, err = mapfmt.DecodeLock(op.Data[:op.N])
	}
	if err != nil && !errors.Is(err, c.ctx.Err()) {
		c.corrupt(object, name, "generation %d: %v", op.Generation, err)
	}
}
