package xseg

import (
	"context"
	"errors"
	"fmt"
	"os"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
)

// Destroy removes the name of a segment and its sockets. ErrBusy while a port is bound, unless
// force. Whoever has it joined keeps the memory, but can't bind or connect in it any more.
func Destroy(name string, force bool) error {
	if err := destroySegment(name, force); err != nil {
		return fmt.Errorf("destroy segment %s: %w", name, err)
	}
	return nil
}

func destroySegment(name string, force bool) error {
	s, err := Join(name)
	if errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) {
		if !force {
			return err
		}
		return os.Remove(shm.Path(name)) // not ours to read, but the name can go
	}
	if err != nil {
		return err
	}
	defer s.Leave()
	return s.control(context.Background(), abi.StepUnbind, 0, func() error { return s.remove(force) })
}

// remove runs under the control lock, so that no bind slips in between look and removal.
func (s *Segment) remove(force bool) error {
	ports := s.Ports()
	for _, p := range ports {
		if p.Alive && !force {
			return fmt.Errorf("%w%s", ErrBusy, describePorts(ports))
		}
	}
	s.hdr.Ready.Store(0)
	if err := os.Remove(shm.Path(s.name)); err != nil {
		return err
	}
	for _, p := range ports {
		if err := os.Remove(s.socketPath(p.No)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
