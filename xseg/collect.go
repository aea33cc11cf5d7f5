package xseg

import (
	"log/slog"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/step"
)

// Functions of this file run under the control lock.

// groupBits is how far an incarnation is shifted to tell which join of the segment it belongs to:
// what one peer received on one port it may have passed on from another of its ports.
const groupBits = 16

func group(incarnation uint64) uint64 { return incarnation >> groupBits }

// portAlive tells whether the port is still held by that incarnation. The lock of a process goes
// only when all its threads have left the kernel: a dead one can't write any more.
func (s *Segment) portAlive(no uint32, incarnation uint64) bool {
	if no >= s.t.nrPorts || incarnation == 0 {
		return false
	}
	p := &s.ports[no]
	if p.State.Load() != abi.PortBound || p.Incarnation.Load() != incarnation {
		return false
	}
	s.mu.Lock()
	mine, ok := s.held[PortNo(no)]
	s.mu.Unlock()
	if ok {
		return mine == incarnation
	}
	return s.file.LockedByOther(abi.LockPorts + int64(no))
}

// inUse tells whether a state is one in which a channel may have requests.
func inUse(state uint32) bool { return state == abi.ChannelLive || state == abi.ChannelOrphan }

// walk is one look at the graph of channels.
type walk struct {
	s     *Segment
	alive map[uint64]bool // by incarnation
	seen  map[int]bool
}

func (s *Segment) newWalk() *walk {
	return &walk{s: s, alive: map[uint64]bool{}, seen: map[int]bool{}}
}

func (w *walk) isAlive(no uint32, incarnation uint64) bool {
	a, ok := w.alive[incarnation]
	if !ok {
		a = w.s.portAlive(no, incarnation)
		w.alive[incarnation] = a
	}
	return a
}

// running tells whether a request of channel id may still be worked on: its server lives and has
// not said "drained", or the server is dead but something that it had passed on still runs. Peers
// that died together don't run, also where they had passed work to each other in a circle.
func (w *walk) running(id int) bool {
	clear(w.seen)
	return w.reach(id)
}

func (w *walk) reach(id int) bool {
	c := &w.s.channels[id]
	dst := c.DstIncarnation.Load()
	if w.seen[id] || !inUse(c.State.Load()) || dst == 0 {
		return false
	}
	w.seen[id] = true
	if w.isAlive(c.DstPort.Load(), dst) {
		return true
	}
	for y := range w.s.channels {
		if group(w.s.channels[y].SrcIncarnation.Load()) == group(dst) && w.reach(y) {
			return true
		}
	}
	return false
}

// collect gives back the extents of dead submitters whose requests have all ended.
func (s *Segment) collect() {
	w := s.newWalk()
	for id := range s.channels {
		c := &s.channels[id]
		if c.State.Load() == abi.ChannelLive && !w.isAlive(c.SrcPort.Load(), c.SrcIncarnation.Load()) {
			c.State.Store(abi.ChannelOrphan)
		}
	}
	// All are judged before any is freed: a freed one tells nothing about who passed what on.
	var drained []verdict
	for id := range s.channels {
		c := &s.channels[id]
		st := c.State.Load()
		if st == abi.ChannelDrained || st == abi.ChannelOrphan && !w.running(id) {
			drained = append(drained, verdict{id, c.Serial.Load(), c.SrcIncarnation.Load()})
		}
	}
	for _, v := range drained {
		s.execute(v)
	}
}

// verdict says which channel may go.
type verdict struct {
	id             int
	serial, srcInc uint64
}

// execute frees a channel if it is still the one that was judged. Under the control lock nothing
// else is possible; if that lock ever failed to exclude, a second look keeps a newcomer's memory
// from going with the dead one's, and the message shows the cause.
func (s *Segment) execute(v verdict) {
	c := &s.channels[v.id]
	st := c.State.Load()
	if c.Serial.Load() != v.serial || c.SrcIncarnation.Load() != v.srcInc ||
		st != abi.ChannelOrphan && st != abi.ChannelDrained {
		slog.Error("channel changed while it was judged: the control lock doesn't exclude",
			"segment", s.name, "channel", v.id, "state", st, "control pid", s.hdr.ControlPid.Load())
		return
	}
	c.State.Store(abi.ChannelDrained)
	s.freeChannel(v.id)
}

// freeChannel gives an extent and its table entry back. The state goes last: killed before, the
// next control step finds DRAINED or SETUP and does it again.
func (s *Segment) freeChannel(id int) {
	c := &s.channels[id]
	off, n := c.ExtentOffset.Load(), c.ExtentSize.Load()
	if off >= s.t.heap && off <= s.t.size && n <= s.t.size-off && n > 0 {
		if err := s.file.Punch(int64(off), int64(n)); err != nil {
			slog.Error("give memory of a channel back", "segment", s.name, "channel", id, "error", err)
		}
	}
	step.At(step.ReapPunched)
	c.State.Store(abi.ChannelFree)
	c.SrcIncarnation.Store(0)
	c.DstIncarnation.Store(0)
}
