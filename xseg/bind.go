package xseg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
	"archipelago/xseg/internal/step"
)

// Bind takes port no for the life of the loop. A dead predecessor is waited for until what it
// had passed on is done; a live holder is ErrBusy, naming it, unless it is of the same role and
// already dying. Blocks; ctx ends it.
func (l *Loop) Bind(ctx context.Context, no PortNo, opts BindOptions) (*Port, error) {
	p, err := l.bind(ctx, no, opts, true)
	if err != nil {
		return nil, fmt.Errorf("bind port %d: %w", no, err)
	}
	return p, nil
}

// anyWait is how long BindAny waits for one of its ports to get free.
const anyWait = 3 * time.Second

// BindAny takes the first free port of from..to; waits a short while if all are taken. A port
// whose dead holder has left requests running counts as taken.
func (l *Loop) BindAny(ctx context.Context, from, to PortNo, opts BindOptions) (*Port, error) {
	limit := time.Now().Add(anyWait)
	for {
		for no := from; no <= to; no++ {
			p, err := l.bind(ctx, no, opts, false)
			if !errors.Is(err, ErrBusy) {
				return p, err
			}
		}
		if time.Now().After(limit) {
			return nil, fmt.Errorf("ports %d to %d are all taken: %w", from, to, ErrBusy)
		}
		// Tools hold such a port for moments: there is nobody who would tell of its end.
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// bind is one attempt. Only a patient one waits for a predecessor's requests.
func (l *Loop) bind(ctx context.Context, no PortNo, opts BindOptions, patient bool) (*Port, error) {
	s := l.seg
	switch {
	case uint32(no) >= s.t.nrPorts:
		return nil, fmt.Errorf("the segment has %d ports: %w", s.t.nrPorts, ErrLimit)
	case len(opts.Role) > abi.RoleMax:
		return nil, fmt.Errorf("role %q has more than %d bytes: %w", opts.Role, abi.RoleMax, ErrLimit)
	}
	p := l.newPort(no, opts)
	if err := p.takeOver(ctx, opts.Role); err != nil {
		return nil, err
	}
	err := p.outwait(ctx, patient)
	step.At(step.BindListen)
	if err == nil && p.handler != nil {
		err = p.listen()
	}
	if err != nil {
		p.giveUp()
		return nil, err
	}
	l.mu.Lock()
	l.ports = append(l.ports, p)
	l.mu.Unlock()
	return p, nil
}

// errDying says that the holder of a port can't but go.
var errDying = errors.New("holder is ending")

// takeOver gets the port's lock and writes our name into its entry, waiting for a holder of the
// same role that is already dying: its threads may still be inside the kernel, in I/O.
func (p *Port) takeOver(ctx context.Context, role string) error {
	pause, warned := time.Millisecond, time.Now().Add(controlWarn)
	for {
		err := p.claim(ctx, role)
		if !errors.Is(err, errDying) {
			return err
		}
		if time.Now().After(warned) {
			warned = warned.Add(time.Hour)
			slog.Warn("waiting for the predecessor to end its I/O", "port", p.no, "role", role,
				"pid", p.entry.Pid.Load())
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("wait for pid %d to end: %w", p.entry.Pid.Load(), err)
		}
		pause = min(pause*2, 20*time.Millisecond)
	}
}

// claim is one attempt at the lock, with all that must happen in the same control step: from then
// on the predecessor's incarnation is a dead one for everybody.
func (p *Port) claim(ctx context.Context, role string) error {
	s := p.loop.seg
	return s.control(ctx, abi.StepBind, uint64(p.no), func() error {
		s.mu.Lock()
		_, mine := s.held[p.no]
		s.mu.Unlock()
		if mine {
			return p.busy(role)
		}
		ok, err := s.file.TryLock(abi.LockPorts + int64(p.no))
		if err != nil {
			return err
		}
		if !ok {
			return p.busy(role)
		}
		step.At(step.BindLocked)
		p.incarnation = s.newIncarnation()
		s.mu.Lock()
		s.held[p.no] = p.incarnation
		s.mu.Unlock()
		p.sign(role)
		step.At(step.BindSigned)
		s.collect()
		return nil
	})
}

// busy says who holds the port.
func (p *Port) busy(role string) error {
	holder := shm.Process{PID: int(p.entry.Pid.Load()), StartTime: p.entry.StartTime.Load()}
	theirs := cString(p.entry.Role[:])
	if theirs == role && holder.Ending() {
		return errDying
	}
	return fmt.Errorf("held by pid %d, role %s: %w", holder.PID, theirs, ErrBusy)
}

// newIncarnation returns an incarnation that tells both the bind and the join. Under the control
// lock.
func (s *Segment) newIncarnation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.joinID == 0 || s.binds == 1<<groupBits-1 {
		s.joinID, s.binds = s.hdr.NextIncarnation.Add(1), 0
	}
	s.binds++
	return s.joinID<<groupBits | s.binds
}

// sign writes the entry. The state comes last: an entry that is bound is whole.
func (p *Port) sign(role string) {
	e, self := p.entry, p.loop.seg.self
	e.State.Store(abi.PortFree)
	e.Pid.Store(uint32(self.PID))
	e.StartTime.Store(self.StartTime)
	e.Incarnation.Store(p.incarnation)
	e.Waiter.Store(p.loop.waiterNo)
	e.Role = [32]uint8{}
	copy(e.Role[:abi.RoleMax], role)
	zeroCounters(&e.Counters)
	e.State.Store(abi.PortBound)
}

// outwait blocks until nothing that dead predecessors had passed on is worked on any more; only
// then may a buffer that they were given be given back, and only then are we live.
func (p *Port) outwait(ctx context.Context, patient bool) error {
	s := p.loop.seg
	pause, warned := time.Millisecond, time.Now().Add(controlWarn)
	for {
		left := -1
		err := s.control(ctx, abi.StepBind, uint64(p.no), func() error {
			s.collect()
			if left = p.leftover(); left < 0 {
				p.inherit()
			}
			return nil
		})
		if err != nil || left < 0 {
			return err
		}
		if !patient {
			return fmt.Errorf("requests of its dead holder still run: %w", ErrBusy)
		}
		if time.Now().After(warned) {
			warned = warned.Add(time.Hour)
			slog.Warn("waiting for requests that the predecessor had passed on", "port", p.no,
				"at", s.channels[left].DstPort.Load())
		}
		// Whoever works on them records "drained" in the table, and wakes nobody.
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("requests of the predecessor still run at port %d: %w",
				s.channels[left].DstPort.Load(), err)
		}
		pause = min(pause*2, 20*time.Millisecond)
	}
}

// leftover returns a channel that a dead predecessor had submitted on and whose requests may
// still run; -1 if there is none. Under the control lock.
func (p *Port) leftover() int {
	s, w := p.loop.seg, p.loop.seg.newWalk()
	dead := map[uint64]bool{} // groups that served this port before
	for id := range s.channels {
		c := &s.channels[id]
		inc := c.DstIncarnation.Load()
		if inUse(c.State.Load()) && c.DstPort.Load() == uint32(p.no) && inc != 0 && inc != p.incarnation {
			dead[group(inc)] = true
		}
	}
	for id := range s.channels {
		c := &s.channels[id]
		inc := c.SrcIncarnation.Load()
		old := c.SrcPort.Load() == uint32(p.no) && inc != p.incarnation
		if (old || dead[group(inc)]) && !w.isAlive(c.SrcPort.Load(), inc) && w.running(id) {
			return id
		}
	}
	return -1
}

// inherit ends the predecessors' claim on the channels that they served: their live submitters
// may push their requests again. Under the control lock.
func (p *Port) inherit() {
	s := p.loop.seg
	for id := range s.channels {
		c := &s.channels[id]
		inc := c.DstIncarnation.Load()
		if inUse(c.State.Load()) && c.DstPort.Load() == uint32(p.no) && inc != p.incarnation {
			c.DstIncarnation.Store(0)
		}
	}
	s.collect()
}

// giveUp leaves a port that never went live. Its entry stays that of a dead holder, so that the
// next one waits for what we have not outwaited.
func (p *Port) giveUp() {
	s := p.loop.seg
	s.mu.Lock()
	delete(s.held, p.no)
	s.mu.Unlock()
	_ = s.file.Unlock(abi.LockPorts + int64(p.no)) // Leave does it at the latest
}
