package vlmcd

import (
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	mappers "archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// maxText is the longest text of an error in a reply: shorter than the description of a volume,
// which comes with ESTALE where another thread is to be asked, so that the two aren't confused.
const maxText = mappers.InfoBytes - 8

// server turns the requests of one port into operations of the engine. On its loop only.
type server struct {
	engine *Engine // nil until the mapper and the blocker are there
	early  []*xseg.Request
	free   *job
	open   int // requests that are not answered
}

// job is one request under way.
type job struct {
	Op
	req  *xseg.Request
	next *job
}

// serve is the handler of the port.
func (s *server) serve(r *xseg.Request) {
	switch {
	case r.Op() == xseg.OpPing:
		r.RespondOnLoop(0, 0)
	case s.engine == nil:
		s.open++
		s.early = append(s.early, r)
	default:
		s.open++
		s.submit(r)
	}
}

// begin serves what came before the engine was there, and all that comes from now on.
func (s *server) begin(e *Engine) {
	s.engine = e
	early := s.early
	s.early = nil
	for _, r := range early {
		s.submit(r)
	}
}

// stop brings the engine to rest; rested is told how many requests wait.
func (s *server) stop(rested func(waiting int)) {
	if s.engine == nil {
		rested(s.open)
		return
	}
	s.engine.Stop(func() { rested(s.open) })
}

func (s *server) submit(r *xseg.Request) {
	j := s.free
	if j == nil {
		j = &job{}
		j.Done = func(*Op) { s.answer(j) }
	} else {
		s.free = j.next
	}
	j.req = r
	if err := decode(&j.Op, r); err != nil {
		j.Err = err
		s.answer(j)
		return
	}
	s.engine.Submit(&j.Op)
}

// kinds maps the numbers of requests to kinds; 0 = not an operation on volumes.
var kinds = [...]Kind{
	xseg.OpRead: Read, xseg.OpWrite: Write, xseg.OpWriteZeroes: WriteZeroes, xseg.OpDiscard: Discard,
	xseg.OpFlush: Flush, xseg.OpOpen: Open, xseg.OpClose: Close, xseg.OpSnapshot: Snapshot,
	xseg.OpDelete: Delete, xseg.OpInfo: Info,
}

// decode makes the operation of a request. What the engine checks itself isn't checked here: ranges
// and UUIDs.
func decode(op *Op, r *xseg.Request) (err error) {
	code := r.Op()
	if code >= uint32(len(kinds)) || kinds[code] == 0 {
		return fmt.Errorf("operation %d: %w", code, mapper.ErrArgument)
	}
	op.Kind, op.Flags = kinds[code], flagsOf(r.Flags())
	op.Volume, op.Name, op.RequestID = r.Volume(), r.Target(), r.RequestID()
	op.Offset, op.Length = int64(r.Offset()), int64(r.Size())
	switch op.Kind {
	case Read, Write:
		data := r.Data()
		if r.Size() > uint64(len(data)) {
			return fmt.Errorf("%d bytes in a buffer of %d: %w", r.Size(), len(data), mapper.ErrArgument)
		}
		op.Data = data[:r.Size()]
	case Open, Close, Snapshot, Delete, Info:
		// Read and Write must be quick about the name; these are not.
		if err = mapfmt.CheckVolumeName(string(op.Name)); err != nil {
			return fmt.Errorf("%w: %w", mapper.ErrName, err)
		}
	}
	if op.Kind == Snapshot {
		op.Other, err = mappers.NameArgs(r.Data())
	}
	return err
}

func flagsOf(f uint32) (flags Flags) {
	if f&xseg.ReqFUA != 0 {
		flags |= FlagFUA
	}
	if f&xseg.ReqFlush != 0 {
		flags |= FlagFlush
	}
	if f&xseg.ReqNosync != 0 {
		flags |= FlagNoWait
	}
	return flags
}

// answer responds and keeps the job for its next use.
func (s *server) answer(j *job) {
	r, op := j.req, &j.Op
	s.open--
	errno := mapper.Errno(op.Err)
	var serviced uint64
	switch {
	case op.Err == nil:
		serviced = reply(r, op)
	case op.Info.Port != 0:
		mappers.PutInfo(r.Payload(), &op.Info)
		r.SetPayloadLen(mappers.InfoBytes)
	default:
		text := op.Err.Error()
		r.SetPayloadLen(copy(r.Payload(), text[:min(len(text), maxText)]))
	}
	done := op.Done
	*j = job{next: s.free}
	j.Done = done
	s.free = j
	r.RespondOnLoop(errno, serviced)
}

// reply encodes the results of an operation that went well; it returns the reply's count.
func reply(r *xseg.Request, op *Op) uint64 {
	switch op.Kind {
	case Read, Write, WriteZeroes, Discard:
		return uint64(op.Length)
	case Open, Snapshot, Info:
		mappers.PutInfo(r.Payload(), &op.Info)
		r.SetPayloadLen(mappers.InfoBytes)
	}
	return 0
}
