package filed

import "archipelago/peers/blocker"

// append adds to an object whose size is op.Offset. The name's stripe keeps the size as it was
// judged; only appends, truncations and replacements change sizes of objects that are appended to.
func (s *Store) append(op *blocker.Op) (bool, error) {
	s.makeRoom()
	st := s.stripe(op.Name)
	st.Lock()
	defer st.Unlock()
	o, err := s.objectLocked(op.Name, false)
	if err != nil {
		return false, wrap(op.Name, "open", err)
	}
	s.beginChange(o, op.Volume, int64(len(op.Data)))
	size, err := s.appendTo(o, op)
	if err != nil {
		s.endChange(o)
		op.N = size
		return false, wrap(op.Name, "append", err)
	}
	op.N = int64(len(op.Data))
	return s.finishChange(o, op, false, s.mustSync(op)), nil
}

func (s *Store) appendTo(o *object, op *blocker.Op) (int64, error) {
	st, err := fstat(o.fd)
	if err != nil {
		return 0, err
	}
	if st.Size != op.Offset {
		return st.Size, blocker.ErrConflict
	}
	if err := s.writeAt(o, op.Data, op.Offset); err != nil {
		// What was written of it goes again: the next append names the same offset.
		if cut := s.cutTo(o, op.Offset); cut != nil {
			s.log.Warn("torn append stays", "object", o.name, "error", cut)
		}
		return 0, err
	}
	return 0, nil
}

func (s *Store) truncateTail(op *blocker.Op) (bool, error) {
	s.makeRoom()
	st := s.stripe(op.Name)
	st.Lock()
	defer st.Unlock()
	o, err := s.objectLocked(op.Name, false)
	if err != nil {
		return false, wrap(op.Name, "open", err)
	}
	s.beginChange(o, op.Volume, 0)
	now, err := fstat(o.fd)
	if err == nil && now.Size > op.Offset {
		now.Size = op.Offset
		err = s.cutTo(o, op.Offset)
	}
	if err != nil {
		s.endChange(o)
		return false, wrap(op.Name, "truncate", err)
	}
	op.N = now.Size
	return s.finishChange(o, op, false, true), nil
}
