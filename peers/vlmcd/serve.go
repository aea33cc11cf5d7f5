package vlmcd

import (
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
	slow   slowLog
	late   func() // told that a request came after the engine had come to rest; nil before that
}

// job is one request under way.
type job struct {
	Op
	req        *xseg.Request
	prev, next *job // in slowLog; next also in server.free
	told       bool // to be slow
}

// serve is the handler of the port.
func (s *server) serve(r *xseg.Request) {
	switch {
	case r.Op() == xseg.OpPing:
		r.RespondOnLoop(0, 0)
	case s.engine == nil:
		s.open++
		s.early = append(s.early, r)
	case r.Op() == xseg.OpTrace:
		s.trace(r)
	default:
		s.open++
		s.submit(r)
		if s.late != nil && s.open > 0 {
			s.late()
		}
	}
}

// begin serves what came before the engine was there, and all that comes from now on.
func (s *server) begin(e *Engine) {
	s.engine = e
	early := s.early
	s.early = nil
	for _, r := range early {
		s.open-- // counted again
		s.serve(r)
	}
}

// stop brings the engine to rest; rested is told how many requests wait. A client may send more before
// the port stops to listen: those wait, too, and late is called for each.
func (s *server) stop(rested func(waiting int), late func()) {
	atRest := func() {
		s.late = late
		rested(s.open)
	}
	if s.engine == nil {
		atRest()
		return
	}
	s.engine.Stop(atRest)
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
	s.slow.add(j)
	if err := decode(&j.Op, r); err != nil {
		j.Err = err
		s.answer(j)
		return
	}
	s.engine.Submit(&j.Op)
}

// answer responds and keeps the job for its next use.
func (s *server) answer(j *job) {
	r, op := j.req, &j.Op
	s.open--
	s.slow.remove(j)
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
	case Flatten:
		return uint64(op.Copied)
	case Open, Snapshot, Info, Rename, Rollback, Resize, Acquire:
		mappers.PutInfo(r.Payload(), &op.Info)
		r.SetPayloadLen(mappers.InfoBytes)
	case Freeze:
		return op.Token
	}
	return 0
}
