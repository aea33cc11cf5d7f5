package remote

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"archipelago/peers/blocker"
	"archipelago/xseg"
)

// Serve returns the handler of a port that answers with store. It allocates nothing on success
// (but for Copy and Fill). What the store ends before its Submit returns is answered on the loop, with one
// wake-up for the whole batch. The handler is for one loop.
func Serve(store blocker.Store) xseg.Handler {
	s := &server{store: store}
	s.pool.New = func() any { return s.newJob() }
	return s.serve
}

type server struct {
	store blocker.Store
	pool  sync.Pool // of *job
}

// Two meet over a job, the end of the operation and the return of Submit: whichever comes second
// answers.
const (
	submitting int32 = iota
	returned         // Submit has returned: whoever ends the operation answers
	ended            // the operation ended within Submit: the loop answers
)

// job is a request under way.
type job struct {
	s     *server
	op    blocker.Op
	req   *xseg.Request
	state atomic.Int32
}

func (s *server) newJob() *job {
	j := &job{s: s}
	j.op.Done = j.done
	return j
}

func (s *server) serve(r *xseg.Request) {
	if r.Op() == xseg.OpPing {
		r.RespondOnLoop(0, 0)
		return
	}
	j := s.pool.Get().(*job)
	j.req = r
	j.state.Store(submitting)
	if err := decode(r, &j.op); err != nil {
		j.op.Err = err
		j.answer(true)
		return
	}
	s.store.Submit(&j.op)
	if !j.state.CompareAndSwap(submitting, returned) {
		j.answer(true)
	}
}

func (j *job) done(*blocker.Op) {
	if !j.state.CompareAndSwap(submitting, ended) {
		j.answer(false)
	}
}

// answer writes the reply, gives the job back and responds.
func (j *job) answer(onLoop bool) {
	r := j.req
	errno, count := reply(r, &j.op)
	done := j.op.Done
	j.op = blocker.Op{Done: done}
	j.req = nil
	j.s.pool.Put(j)
	if onLoop {
		r.RespondOnLoop(errno, count)
	} else {
		r.Respond(errno, count)
	}
}

func reply(r *xseg.Request, op *blocker.Op) (errno syscall.Errno, count uint64) {
	if n, ok := putResult(op); ok {
		le.PutUint64(r.Payload(), n)
		r.SetPayloadLen(8)
	} else {
		r.SetPayloadLen(0)
	}
	return blocker.Errno(op.Err), uint64(op.N)
}

// decode makes an operation of a request. The store checks names and ranges.
func decode(r *xseg.Request, op *blocker.Op) error {
	code := r.Op()
	if code >= uint32(len(kinds)) || kinds[code] == 0 {
		return fmt.Errorf("request %d: %w", code, blocker.ErrArgument)
	}
	op.Kind = kinds[code]
	op.Volume, op.Term = r.Volume(), r.Term()
	if r.Flags()&xseg.ReqFUA != 0 {
		op.Flags = blocker.FlagFUA
	}
	if r.Flags()&xseg.ReqForce != 0 {
		op.Flags |= blocker.FlagReserve
	}
	op.Name = text(r.Target())
	op.Offset = int64(r.Offset())
	if hasData(op.Kind) {
		size := r.Size()
		data := r.Data()
		if size > uint64(len(data)) {
			return fmt.Errorf("request of %d bytes with %d of data: %w", size, len(data), blocker.ErrArgument)
		}
		op.Data = data[:size]
	}
	return decodeRest(r, op)
}

func decodeRest(r *xseg.Request, op *blocker.Op) error {
	switch op.Kind {
	case blocker.WriteZeroes, blocker.Discard:
		op.Length = int64(r.Size())
	case blocker.Copy:
		op.Length = int64(r.Size())
		return getCopyArgs(r.PayloadIn(), op)
	case blocker.Fill:
		return getCopyArgs(r.PayloadIn(), op)
	case blocker.List:
		op.After = text(r.PayloadIn())
	case blocker.LockAdvance:
		op.Generation, op.Offset = r.Offset(), 0
	}
	return nil
}
