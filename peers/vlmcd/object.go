package vlmcd

import (
	"encoding/hex"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// level is one object that an object of a volume is read from, and which sub-blocks it holds.
type level struct {
	mapfmt.Level
	name string // at the blocker
}

// object is the translation of one object of a volume: its map entry with the names made. The
// bottom, where there is one, is a last level that holds everything.
type object struct {
	page   *page
	index  int64
	levels []level
	bottom mapfmt.Bottom
	key    *[32]byte // of the bottom
	own    bool      // level 0 may be written in place
	stale  bool      // to be asked for again before it is used
	seq    uint64    // of the last change that it shows; see volume.commitSeq
	work   *work     // while it is copied on write or reloaded

	writers int // pieces that write in place
}

// check refuses an entry that can't be used.
func (o *object) check(v *volume, entry *mapfmt.Entry) error {
	if err := entry.Check(); err != nil {
		return badAnswer("volume %s, object %d: %v", v.info.Name, o.index, err)
	}
	return o.checkUse(v, entry)
}

func (o *object) checkUse(v *volume, entry *mapfmt.Entry) error {
	if l := &entry.Levels[0]; l.UUID == v.uuid && l.Epoch > v.info.Epoch {
		// The volume has moved on behind the engine's back: what it believes to be its own isn't.
		return fmt.Errorf("epoch %d after %d: %w", l.Epoch, v.info.Epoch, mapper.ErrStale)
	}
	if entry.Bottom == mapfmt.BottomForeign {
		return badAnswer("volume %s, object %d: it lies in a map of a foreign form", v.info.Name, o.index)
	}
	return nil
}

// set makes the translation that of entry. seq says which flush makes it durable.
func (o *object) set(v *volume, entry *mapfmt.Entry, seq uint64) {
	o.setLevels(entry.Levels[:entry.NumLevels], entry)
	o.own = entry.IsOwn(v.uuid, v.info.Epoch)
	o.stale, o.seq = false, seq
}

func (o *object) setLevels(from []mapfmt.Level, entry *mapfmt.Entry) {
	before := o.levels
	n := len(from)
	if entry.Bottom != mapfmt.BottomZero {
		n++
	}
	o.levels = make([]level, 0, n)
	for _, l := range from {
		o.levels = append(o.levels, level{l, nameOf(before, o.index, l)})
	}
	o.bottom, o.key = entry.Bottom, nil
	if o.bottom == mapfmt.BottomHashed {
		key := entry.Key
		o.key = &key
		o.levels = append(o.levels, level{mapfmt.Level{Mask: mapfmt.FullMask}, hex.EncodeToString(key[:])})
	}
}

// nameOf returns the name of an object, the one that is there already if it is.
func nameOf(known []level, index int64, l mapfmt.Level) string {
	for i := range known {
		k := &known[i]
		if k.UUID == l.UUID && k.Epoch == l.Epoch && k.Birth == l.Birth && k.UUID != (UUID{}) {
			return k.name
		}
	}
	return mapfmt.ObjectName(mapfmt.ObjectOf(index, l))
}

// entry is the map entry that o shows.
func (o *object) entry() mapfmt.Entry {
	e := mapfmt.Entry{Bottom: o.bottom}
	if o.key != nil {
		e.Key = *o.key
	}
	for _, l := range o.levels {
		if l.UUID != (UUID{}) {
			e.Levels[e.NumLevels] = l.Level
			e.NumLevels++
		}
	}
	return e
}

// present returns the sub-blocks that may be written in place.
func (o *object) present() uint64 {
	if o.own {
		return o.levels[0].Mask
	}
	return 0
}

// below returns the name of the object that a sub-block is read from; "" = zeros.
func (o *object) below(sub int) string {
	if i := o.find(sub); i >= 0 {
		return o.levels[i].name
	}
	return ""
}

// find returns the level that a sub-block is read from, or -1: zeros.
func (o *object) find(sub int) int {
	for i := range o.levels {
		if o.levels[i].Mask>>uint(sub)&1 != 0 {
			return i
		}
	}
	return -1
}

// names says whether the entry still names an object of the blocker.
func (o *object) names(name string) bool {
	for i := range o.levels {
		if o.levels[i].name == name {
			return true
		}
	}
	return false
}

// subBlock returns the number of the sub-block at an offset.
func (v *volume) subBlock(off int64) int { return int(off / mapfmt.SubBlockSize(v.objectSize)) }

// run returns where the bytes from off on come from, and the end of the neighbours that come from
// there as well.
func (o *object) run(v *volume, off, end int64) (lvl int, until int64) {
	size := mapfmt.SubBlockSize(v.objectSize)
	lvl = o.find(v.subBlock(off))
	until = (off/size + 1) * size
	for until < end && o.find(v.subBlock(until)) == lvl {
		until += size
	}
	return lvl, min(until, end)
}
