package xseg

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
	"archipelago/xseg/internal/step"
)

// controlWarn is how long a step may take before those who wait for it say so.
const controlWarn = 2 * time.Second

// control runs one control step: f, alone on the whole segment. What an earlier holder left half
// done is undone first. Blocks for the lock until ctx ends; f must do no I/O and be quick.
func (s *Segment) control(ctx context.Context, what uint32, arg uint64, f func() error) error {
	s.controlMu.Lock()
	defer s.controlMu.Unlock()
	if err := s.lockControl(ctx); err != nil {
		return err
	}
	defer s.unlockControl()
	if s.hdr.Ready.Load() != 1 {
		return fmt.Errorf("segment %s was destroyed: %w", s.name, ErrNoSegment)
	}
	if s.hdr.ControlStep.Load() != abi.StepNone {
		s.undoSetups()
	}
	step.At(step.ControlLocked)
	s.hdr.ControlPid.Store(uint32(s.self.PID))
	s.hdr.ControlArg.Store(arg)
	s.hdr.ControlSince.Store(shm.Boottime())
	s.hdr.ControlStep.Store(what)
	step.At(step.ControlStep)
	err := f()
	step.At(step.ControlDone)
	s.hdr.ControlStep.Store(abi.StepNone)
	return err
}

// lockControl polls: a blocking lock call could not be ended by ctx, nor say whom it waits for.
// Steps take microseconds, so the first tries come quickly.
func (s *Segment) lockControl(ctx context.Context) error {
	pause := 20 * time.Microsecond
	var begun time.Time
	for warned := false; ; {
		ok, err := s.file.TryLock(abi.LockControl)
		if ok || err != nil {
			return err
		}
		if begun.IsZero() {
			begun = time.Now()
		}
		if !warned && time.Since(begun) > controlWarn {
			warned = true
			slog.Warn("control lock of the segment is held for long", "segment", s.name,
				"pid", s.hdr.ControlPid.Load(), "step", s.hdr.ControlStep.Load())
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("wait for the control lock held by pid %d: %w",
				s.hdr.ControlPid.Load(), err)
		}
		pause = min(pause*2, 2*time.Millisecond)
	}
}

func (s *Segment) unlockControl() {
	if err := s.file.Unlock(abi.LockControl); err != nil {
		slog.Error("give the control lock back", "segment", s.name, "error", err)
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// undoSetups ends connects that were killed half-way: nobody has heard of those channels yet.
func (s *Segment) undoSetups() {
	for id := range s.channels {
		if s.channels[id].State.Load() == abi.ChannelSetup {
			s.freeChannel(id)
		}
	}
}
