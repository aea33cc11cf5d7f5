package mapperd

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// groupPatience is how long after its last member a group counts as being made. Whoever meets a
// member later, or after a restart, gives the group up. Tuning; right at any value.
const groupPatience = time.Minute

// beginMember remembers that somebody is at work on a group.
func (e *Engine) beginMember(group [16]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.groups == nil {
		e.groups = map[[16]byte]time.Time{}
	}
	now := time.Now()
	for g, last := range e.groups {
		if now.Sub(last) > groupPatience {
			delete(e.groups, g)
		}
	}
	e.groups[group] = now
}

func (e *Engine) isBeingMade(group [16]byte) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	last, ok := e.groups[group]
	return ok && time.Since(last) <= groupPatience
}

// memberMark is the mark of a member while the group isn't decided: one without a name.
func memberMark(group [16]byte) mapfmt.Mark {
	return mapfmt.Mark{Flag: mapfmt.FlagPending, ID: group}
}

func isMember(m mapfmt.Mark) bool { return m.Name == "" }

// snapshotGroup decides a group: all its members become real, or none.
func (e *Engine) snapshotGroup(op *mapper.Op) error {
	names, err := groupNames(op)
	if err != nil {
		return err
	}
	defer e.names.lockAll(names)()
	if op.Members == 0 {
		return groupError(op, e.giveUp(op.Group, names))
	}
	return groupError(op, e.makeReal(op.Group, names))
}

func groupError(op *mapper.Op, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("group %s: %w", mapfmt.FormatUUID(op.Group), err)
}

func groupNames(op *mapper.Op) (names []string, err error) {
	err = blocker.Names(op.Data, func(name string) error {
		names = append(names, name)
		return checkName(name)
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if op.Group == [16]byte{} || len(names) > mapfmt.MaxGroup || op.Members != 0 && len(names) != op.Members {
		return nil, fmt.Errorf("group of %d with %d names: %w", op.Members, len(names), mapper.ErrArgument)
	}
	return names, nil
}

// makeReal: every member is there, then the decision, then the members lose their mark.
func (e *Engine) makeReal(group [16]byte, names []string) error {
	complete, real, err := e.members(group, names)
	if err != nil || real {
		return err
	}
	if e.cfg.faults.groupUndecided {
		return e.clearMembers(group, names)
	}
	state := mapfmt.GroupReal
	if !complete {
		state = mapfmt.GroupGivenUp
	}
	g, err := e.decide(group, state, names)
	if err != nil {
		return err
	}
	if g.State == mapfmt.GroupGivenUp {
		return errors.Join(fmt.Errorf("%w: it was given up, or lacks a member", mapper.ErrStale), e.dropMembers(group, names))
	}
	if err := e.clearMembers(group, names); err != nil {
		return err
	}
	// Last: a member that is PENDING without a decision would be taken for one of a group that was
	// given up.
	err = e.remove(mapfmt.UUID{}, mapfmt.GroupName(group))
	if errors.Is(err, blocker.ErrNotFound) {
		return nil
	}
	return err
}

// members says whether all names are members of the group, and whether all are real already.
func (e *Engine) members(group [16]byte, names []string) (complete, real bool, err error) {
	complete, real = true, true
	for _, name := range names {
		rec, err := e.readRecord(name)
		if errors.Is(err, mapper.ErrNotFound) {
			complete, real = false, false
			continue
		}
		if err != nil {
			return false, false, err
		}
		mark, pending := rec.Mark(mapfmt.FlagPending)
		switch {
		case pending && mark == memberMark(group):
			real = false
		case pending || !rec.HasOp(group):
			complete, real = false, false
		}
	}
	return complete, real, nil
}

// decide makes the decision, and returns the one that holds: somebody may have been faster.
func (e *Engine) decide(group [16]byte, state mapfmt.GroupState, names []string) (*mapfmt.Group, error) {
	g := &mapfmt.Group{ID: group, Created: time.Now().Unix(), State: state, Members: names}
	data, err := mapfmt.EncodeGroup(g)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mapper.ErrArgument, err)
	}
	err = e.create(mapfmt.UUID{}, mapfmt.GroupName(group), data)
	if errors.Is(err, blocker.ErrExists) {
		return readObject(e, mapfmt.GroupName(group), mapfmt.DecodeGroup)
	}
	return g, err
}

// clearMembers makes the members of a real group real. The locks of their names are held.
func (e *Engine) clearMembers(group [16]byte, names []string) error {
	for _, name := range names {
		rec, err := e.readRecord(name)
		if err != nil {
			return err
		}
		if _, err := e.clearMember(name, rec, group); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) clearMember(name string, rec *mapfmt.Record, group [16]byte) (*mapfmt.Record, error) {
	if m, pending := rec.Mark(mapfmt.FlagPending); !pending || m != memberMark(group) {
		return rec, nil
	}
	rec = rec.Clone()
	rec.ClearMark(mapfmt.FlagPending)
	rec.NoteOp(group) // by which a repeated request knows that it succeeded
	return rec, e.writeRecord(name, rec)
}

// giveUp decides that a group isn't to be, and removes those members that are known.
func (e *Engine) giveUp(group [16]byte, names []string) error {
	if _, real, err := e.members(group, names); err != nil || real && len(names) > 0 {
		return errors.Join(err, mapper.ErrExists)
	}
	g, err := e.decide(group, mapfmt.GroupGivenUp, names)
	if err != nil {
		return err
	}
	if g.State == mapfmt.GroupReal {
		return mapper.ErrExists
	}
	return e.dropMembers(group, names)
}

func (e *Engine) dropMembers(group [16]byte, names []string) error {
	for _, name := range names {
		rec, err := e.readRecord(name)
		if errors.Is(err, mapper.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if m, pending := rec.Mark(mapfmt.FlagPending); !pending || m != memberMark(group) {
			continue
		}
		err = e.remove(rec.UUID, mapfmt.RecordName(name))
		if err != nil && !errors.Is(err, blocker.ErrNotFound) {
			return err
		}
	}
	return nil
}

// finishMember brings a member of a group that was met on its own to its end. While the group is
// being made that is mapper.ErrAgain. The lock of the name is held.
func (e *Engine) finishMember(name string, rec *mapfmt.Record, group [16]byte) (*mapfmt.Record, error) {
	g, err := readObject(e, mapfmt.GroupName(group), mapfmt.DecodeGroup)
	if errors.Is(err, blocker.ErrNotFound) {
		if e.isBeingMade(group) {
			return nil, fmt.Errorf("%w: its group of snapshots is being made", mapper.ErrAgain)
		}
		g, err = e.decide(group, mapfmt.GroupGivenUp, nil)
	}
	if err != nil {
		return nil, err
	}
	if g.State == mapfmt.GroupReal {
		return e.clearMember(name, rec, group)
	}
	err = e.remove(rec.UUID, mapfmt.RecordName(name))
	if err != nil && !errors.Is(err, blocker.ErrNotFound) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: its group of snapshots was given up", mapper.ErrNotFound)
}
