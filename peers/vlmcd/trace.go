package vlmcd

import (
	"time"

	volumes "archipelago/internal/volume"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Tracing records where the time of the requests of one volume goes. It is armed by whoever asks
// for the records, and disarmed when nobody has asked for a while. Without it an operation costs a
// byte to be written per phase, which also says what a slow request waits for, and a branch.

// Phases of operations: those of the records.
const (
	phaseEngine  = volumes.PhaseEngine
	phaseData    = volumes.PhaseData
	phaseCopy    = volumes.PhaseCopy
	phaseMap     = volumes.PhaseMap
	phaseLock    = volumes.PhaseLock
	phaseReserve = volumes.PhaseReserve
	phaseCommit  = volumes.PhaseCommit
	phaseFlush   = volumes.PhaseFlush
	phaseWait    = volumes.PhaseWait
)

// Tuning.
const (
	// tracedMax is how many ended requests of a volume are kept: those of a tenth of a second at
	// most, and a tracer comes more often.
	tracedMax = 8192
	// tracePatience is how long a volume is traced after it was last asked about.
	tracePatience = 5 * time.Second
)

// tracer is the tracing of one volume. On the engine's thread.
type tracer struct {
	ring  []volumes.TraceRecord // the record of number n at n % len
	next  uint64                // number of the next one; from 1
	free  *span
	asked time.Time
}

// span follows one operation. live counts its pieces, and itself, by phase.
type span struct {
	next  *span // in tracer.free
	begun int64
	last  int64
	live  [volumes.NumPhases]int32
	spent [volumes.NumPhases]int64
}

// traceBegin begins to follow an operation.
func (t *tracer) traceBegin(op *Op) {
	s := t.free
	if s == nil {
		s = &span{}
	} else {
		t.free = s.next
	}
	now := monotonic()
	*s = span{begun: now, last: now}
	if op.Received > 0 && op.Received < now {
		s.begun = op.Received
		s.spent[volumes.PhaseQueue] = now - op.Received
	}
	op.trace = s
}

// traceEnd makes the record of an operation that has ended.
func (v *volume) traceEnd(op *Op) {
	s := op.trace
	op.trace = nil
	t := v.tracer
	if t == nil {
		return // disarmed meanwhile
	}
	s.charge()
	r := &t.ring[t.next%uint64(len(t.ring))]
	*r = volumes.TraceRecord{Number: t.next, End: time.Now(), Latency: time.Duration(s.last - s.begun),
		Op: tracedOps[op.Kind], Flags: tracedFlags(op.Flags), Offset: op.Offset, Length: op.Length, Errno: mapper.Errno(op.Err)}
	for i, ns := range s.spent {
		r.Spent[i] = time.Duration(ns)
	}
	t.next++
	s.next = t.free
	t.free = s
}

// charge gives the time since it last ran to the phase that held the operation up then.
func (s *span) charge() {
	now := monotonic()
	held := phaseEngine
	for p := phaseWait; p > phaseEngine; p-- {
		if s.live[p] > 0 {
			held = p
			break
		}
	}
	s.spent[held] += now - s.last
	s.last = now
}

// move notes that a part of the operation has gone from one phase to another.
func (s *span) move(from, to volumes.Phase) {
	s.charge()
	s.live[from]--
	s.live[to]++
}

// enter notes that the operation as a whole, which has no pieces under way, is in a phase.
func (op *Op) enter(to volumes.Phase) {
	op.waits = to
	if op.trace != nil {
		op.trace.move(op.phase, to)
		op.phase = to
	}
}

// enter notes that a piece is in a phase.
func (p *piece) enter(to volumes.Phase) {
	op := p.op
	op.waits = to
	if op.trace != nil {
		op.trace.move(p.phase, to)
		p.phase = to
	}
}

var tracedOps = [...]uint32{Read: xseg.OpRead, Write: xseg.OpWrite, WriteZeroes: xseg.OpWriteZeroes,
	Discard: xseg.OpDiscard, Flush: xseg.OpFlush, Flatten: xseg.OpFlatten}

func tracedFlags(f Flags) (flags uint32) {
	if f&FlagFUA != 0 {
		flags |= xseg.ReqFUA
	}
	if f&FlagFlush != 0 {
		flags |= xseg.ReqFlush
	}
	return flags
}
