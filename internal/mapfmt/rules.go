package mapfmt

import (
	"encoding/binary"
	"fmt"
)

// AtBottom is what Find returns for a sub-block that no level holds.
const AtBottom = -1

// Find returns the level that sub-block sub is read from, or AtBottom.
func (e *Entry) Find(sub int) int {
	for i := range e.levels() {
		if e.Levels[i].Mask>>uint(sub)&1 != 0 {
			return i
		}
	}
	return AtBottom
}

// levels is NumLevels, kept within the array whatever a peer sent.
func (e *Entry) levels() int { return min(int(e.NumLevels), len(e.Levels)) }

// IsZero says that the entry names nothing: the object reads as zeros.
func (e *Entry) IsZero() bool { return e.NumLevels == 0 && e.Bottom == BottomZero }

// HasNothingBelow says that what level 0 lacks reads as zeros: no lower level and no bottom.
func (e *Entry) HasNothingBelow() bool { return e.NumLevels <= 1 && e.Bottom == BottomZero }

// IsOwn says that level 0 may be written in place by the volume in its present epoch.
func (e *Entry) IsOwn(volume UUID, epoch uint64) bool {
	return e.NumLevels > 0 && e.Levels[0].UUID == volume && e.Levels[0].Epoch == epoch
}

// Covers says that level 0 holds every sub-block in mask.
func (e *Entry) Covers(mask uint64) bool {
	return e.NumLevels > 0 && mask&^e.Levels[0].Mask == 0
}

// Held returns the sub-blocks that some level holds.
func (e *Entry) Held() uint64 {
	var held uint64
	for i := range e.levels() {
		held |= e.Levels[i].Mask
	}
	return held
}

// Visible returns the sub-blocks that are read from a level, or with AtBottom, from the bottom;
// none beyond the object.
func (e *Entry) Visible(objectSize int64, level int) uint64 {
	if level == AtBottom {
		return RealMask(objectSize) &^ e.Held()
	}
	mask := e.Levels[level].Mask & RealMask(objectSize)
	for i := range level {
		mask &^= e.Levels[i].Mask
	}
	return mask
}

// Normalize returns the entry in its one form: masks without bits beyond the object, or complete
// and all-ones; no lower level of which nothing is visible; no bottom that nothing is read from.
// Level 0 stays even if it holds nothing (a reservation).
func (e *Entry) Normalize(objectSize int64) Entry {
	n := Entry{Bottom: e.Bottom, Key: e.Key}
	for i := range e.levels() {
		if i > 0 && e.Visible(objectSize, i) == 0 {
			continue
		}
		l := e.Levels[i]
		l.Mask = completed(objectSize, l.Mask)
		n.Levels[n.NumLevels] = l
		n.NumLevels++
	}
	if e.Visible(objectSize, AtBottom) == 0 {
		n.Bottom, n.Key = BottomZero, [32]byte{}
	}
	return n
}

// MergeChoice says which level of an entry with too many of them is to be merged into level 0, and
// which sub-blocks must be copied for that: the level with the fewest visible ones, the newest of
// equals. Precondition: at least two levels.
func (e *Entry) MergeChoice(objectSize int64) (level int, mask uint64) {
	best := SubBlocks + 1
	for i := 1; i < e.levels(); i++ {
		visible := e.Visible(objectSize, i)
		if n := CountSubBlocks(objectSize, visible); n < best {
			level, mask, best = i, visible, n
		}
	}
	return level, mask
}

// WithoutLevel returns the entry without one of its levels.
func (e *Entry) WithoutLevel(level int) Entry {
	n := *e
	copy(n.Levels[level:], e.Levels[level+1:])
	n.Levels[len(n.Levels)-1] = Level{}
	n.NumLevels--
	return n
}

// Check says whether the entry may be stored, and if not, why not: at most MaxLevels levels, each
// with a UUID and something in its mask, no object twice, nothing set beyond the last level, a
// known bottom, a key only with a bottom.
func (e *Entry) Check() error {
	for i := range e.levels() {
		if e.Levels[i].Mask == 0 {
			return entryf("level %d holds nothing", i)
		}
	}
	return e.check(MaxLevels)
}

// CheckAnswer is Check for an answer of MAPW: a level more, and level 0 may hold nothing yet.
func (e *Entry) CheckAnswer() error { return e.check(MaxLevels + 1) }

func (e *Entry) check(most int) error {
	if int(e.NumLevels) > most {
		return entryf("%d levels are more than %d", e.NumLevels, most)
	}
	for i := range e.Levels {
		if err := e.checkLevel(i); err != nil {
			return err
		}
	}
	if e.Bottom > BottomForeign {
		return entryf("bottom of kind %d", e.Bottom)
	}
	if e.Bottom == BottomZero && e.Key != [32]byte{} {
		return entryf("key without a bottom")
	}
	return nil
}

func (e *Entry) checkLevel(i int) error {
	l := &e.Levels[i]
	if i >= int(e.NumLevels) {
		if *l != (Level{}) {
			return entryf("level %d is set, but there are %d", i, e.NumLevels)
		}
		return nil
	}
	if l.UUID == (UUID{}) {
		return entryf("level %d has no UUID", i)
	}
	for j := range i {
		if o := &e.Levels[j]; o.UUID == l.UUID && o.Epoch == l.Epoch && o.Birth == l.Birth {
			return entryf("levels %d and %d are the same object", j, i)
		}
	}
	return nil
}

func entryf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrEntry, fmt.Sprintf(format, args...))
}

// ForeignKey is the key of BottomForeign: number of the origin in the record, index in its map.
func ForeignKey(origin uint32, index int64) (key [32]byte) {
	binary.LittleEndian.PutUint32(key[0:], origin)
	binary.LittleEndian.PutUint64(key[8:], uint64(index))
	return key
}

// Foreign reads the key of BottomForeign.
func (e *Entry) Foreign() (origin uint32, index int64) {
	return binary.LittleEndian.Uint32(e.Key[0:]), int64(binary.LittleEndian.Uint64(e.Key[8:]))
}
