package filed

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// errBefore is the cause that is left of a failure before this process began.
var errBefore = errors.New("its sync had failed before the blocker was restarted")

// inherit takes over what a predecessor has left dirty. Before anything is served.
func (s *Store) inherit(left map[string]*leftover, known bool) {
	s.inherited, s.known = left, known
	if load32(s.track.flagBytes())&flagLost != 0 {
		s.lost = s.lostError(errBefore)
		return
	}
	clean := known
	for _, l := range left {
		clean = clean && l.bad
	}
	s.recovered.Store(clean)
	if len(left) > 0 {
		s.log.Info("a blocker before this one has left objects unsynced", "objects", len(left))
	}
	if !known {
		s.log.Debug("no list of unsynced objects: the first sync covers the file system")
	}
}

// recover makes durable what a predecessor has left dirty, once: with one syncfs, because only that
// reports errors of files that the kernel has dropped from its memory since, and by name, because
// that tells which objects are bad.
func (s *Store) recover() error {
	if s.recovered.Load() {
		return nil
	}
	s.recovery.Lock()
	defer s.recovery.Unlock()
	if s.recovered.Load() || s.lost != nil {
		return s.lost
	}
	err := s.disk.syncfs()
	if err != nil && !s.known {
		s.lost = s.lostError(err)
		s.mu.Lock()
		s.track.setFlag(flagLost, true)
		s.mu.Unlock()
		s.log.Error("writes of an earlier run are lost: every sync will fail", "error", s.lost)
		return s.lost
	}
	for _, name := range s.heirlooms() {
		s.settle(name, err)
	}
	s.mu.Lock()
	s.track.covered()
	s.mu.Unlock()
	s.recovered.Store(true)
	return nil
}

func (s *Store) lostError(cause error) error {
	return fmt.Errorf("directory %s: sync of what was written before the start: %w: %w",
		s.disk.dir, blocker.ErrBad, cause)
}

// heirlooms returns the names that a predecessor has left dirty, and not bad.
func (s *Store) heirlooms() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, l := range s.inherited {
		if !l.bad {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// settle decides what becomes of an object that a predecessor has left dirty: clean, or bad. err is
// that of the syncfs.
func (s *Store) settle(name string, err error) {
	if err == nil {
		err = s.syncName(physical(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.inherited[name]
	switch {
	case l == nil: // replaced or deleted meanwhile
	case err == nil:
		s.disinherit(name)
	default:
		s.log.Error("object is bad: a write before the start is lost", "object", name, "error", err)
		l.bad = true
		for _, slot := range l.slots {
			s.track.setBad(slot, true)
		}
		if o := s.objects[name]; o != nil {
			s.adopt(o, err)
		}
	}
}

// syncName makes the file at path durable, if it is there.
func (s *Store) syncName(path string) error {
	fd, err := s.disk.open(path, unix.O_RDWR)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return s.disk.fdatasync(fd, path)
}

// adopt makes a bad leftover the bad state of its object, which has just been opened. s.mu is held.
func (s *Store) adopt(o *object, err error) {
	l := s.inherited[o.name]
	if l == nil || !l.bad {
		return
	}
	delete(s.inherited, o.name)
	o.begin()
	o.end()
	o.bad = err
	for i, v := range l.volumes {
		if slices.Contains(o.volumes, v) {
			s.track.release(l.slots[i])
		} else {
			s.addDirty(o, v, l.slots[i])
		}
	}
	for _, slot := range o.slots {
		s.track.setBad(slot, true)
	}
}

// disinherit forgets a leftover: it is durable, or gone. s.mu is held.
func (s *Store) disinherit(name string) {
	l := s.inherited[name]
	if l == nil {
		return
	}
	delete(s.inherited, name)
	for _, slot := range l.slots {
		s.track.release(slot)
	}
}

// badHeirloom returns an error if a Sync covers a leftover that is bad. s.mu is held.
func (s *Store) badHeirloom(op *blocker.Op) error {
	for name, l := range s.inherited {
		if l.bad && (name == op.Name || op.Name == "" && slices.Contains(l.volumes, op.Volume)) {
			return wrap(name, "sync", fmt.Errorf("%w: %w", blocker.ErrBad, errBefore))
		}
	}
	return nil
}
