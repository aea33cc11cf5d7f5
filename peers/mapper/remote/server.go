package remote

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Serve returns the handler of a port that answers with m. Nothing is allocated for MapRead,
// MapWrite, Commit and Flush. What m ends before its Submit returns is answered on the loop. The
// handler is for one loop.
func Serve(m mapper.Mapper) xseg.Handler {
	s := &server{m: m, names: map[string]string{}}
	s.pool.New = func() any { return s.newJob() }
	return s.serve
}

type server struct {
	m     mapper.Mapper
	pool  sync.Pool         // of *job
	names map[string]string // see name; used on the loop only
}

// namesKept bounds the memory of names.
const namesKept = 4096

// name makes a string of a target without allocating again for the one that came before: requests
// of an open volume all carry its name.
func (s *server) name(target []byte) string {
	if name, ok := s.names[string(target)]; ok {
		return name
	}
	if len(s.names) >= namesKept {
		clear(s.names)
	}
	name := string(target)
	s.names[name] = name
	return name
}

// The two that meet over a job: whichever comes second answers, so that an operation that ended
// at once is answered on the loop, with one wake-up for the whole batch.
const (
	submitting int32 = iota
	returned         // Submit has returned; whoever ends the operation answers
	ended            // the operation ended within Submit; the loop answers
)

// job is one request under way. It is reused, with its slice of entries.
type job struct {
	s       *server
	op      mapper.Op
	req     *xseg.Request
	state   atomic.Int32
	entries []mapfmt.Entry
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
	if err := j.decode(); err != nil {
		j.op.Err = err
		j.answer((*xseg.Request).RespondOnLoop)
		return
	}
	s.m.Submit(&j.op)
	if !j.state.CompareAndSwap(submitting, returned) {
		j.answer((*xseg.Request).RespondOnLoop)
	}
}

func (j *job) done(*mapper.Op) {
	if !j.state.CompareAndSwap(submitting, ended) {
		j.answer((*xseg.Request).Respond)
	}
}

// answer fills the reply in, gives the job back and responds.
func (j *job) answer(respond func(*xseg.Request, syscall.Errno, uint64)) {
	r, op := j.req, &j.op
	var serviced uint64
	errno := mapper.Errno(op.Err)
	if errno == 0 {
		serviced = j.reply()
	} else {
		replyError(r, op.Err)
	}
	j.reset()
	j.s.pool.Put(j)
	respond(r, errno, serviced)
}

// replyError puts the text of an error that says more than its kind into the reply.
func replyError(r *xseg.Request, err error) {
	if _, bare := err.(*mapper.Error); bare {
		r.SetPayloadLen(0)
		return
	}
	r.SetPayloadLen(copy(r.Payload(), err.Error()))
}

// reset clears the job but for what is kept for its next use.
func (j *job) reset() {
	done := j.op.Done
	j.op = mapper.Op{Done: done}
	j.req = nil
}

// reply encodes the results of a successful operation; it returns the count of the reply.
func (j *job) reply() (serviced uint64) {
	r, op := j.req, &j.op
	r.SetPayloadLen(0)
	switch op.Kind {
	case mapper.Open, mapper.InfoOf, mapper.Clone, mapper.Snapshot, mapper.Rename, mapper.Rollback,
		mapper.Resize, mapper.Acquire:
		PutInfo(r.Payload(), &op.Info)
		r.SetPayloadLen(InfoBytes)
	case mapper.MapWrite, mapper.Commit:
		PutEntry(r.Payload(), &op.Entry)
		r.SetPayloadLen(EntryBytes)
	case mapper.MapRead:
		b := r.Data()
		for i := range op.Entries {
			PutEntry(b[i*EntryBytes:], &op.Entries[i])
		}
		serviced = uint64(len(op.Entries))
	case mapper.List:
		var more uint32
		if op.More {
			more = 1
		}
		le.PutUint32(r.Payload(), more)
		r.SetPayloadLen(4)
		serviced = uint64(op.N)
	case mapper.UsageOf:
		PutUsage(r.Payload(), op.Usage)
		r.SetPayloadLen(UsageBytes)
	case mapper.Diff:
		serviced = j.replyDiff()
	}
	return serviced
}

func (j *job) replyDiff() uint64 {
	r, op := j.req, &j.op
	b := r.Data()
	for i, x := range op.Ranges[:op.N] {
		PutRange(b[i*RangeBytes:], x)
	}
	PutDiffNext(r.Payload(), op.Index, op.More)
	r.SetPayloadLen(DiffNextBytes)
	return uint64(op.N)
}

// kinds maps the numbers of requests back to kinds; 0 = not an operation of a mapper.
var kinds = func() (k [64]mapper.Kind) {
	for kind, op := range opcodes {
		if kind > 0 {
			k[op] = mapper.Kind(kind)
		}
	}
	return k
}()

// decode makes the operation of the request. Everything in it is checked here.
func (j *job) decode() error {
	r, op := j.req, &j.op
	code := r.Op()
	if code >= uint32(len(kinds)) || kinds[code] == 0 {
		return fmt.Errorf("operation %d: %w", code, mapper.ErrArgument)
	}
	op.Kind = kinds[code]
	op.Volume = r.Volume()
	op.Term = r.Term()
	op.RequestID = r.RequestID()
	if err := decodeTarget(op, j.s.name(r.Target())); err != nil {
		return err
	}
	return j.decodeArgs()
}

// decodeTarget sets the name, or the cursor of LIST. A request about an open volume may leave the
// name out.
func decodeTarget(op *mapper.Op, name string) error {
	switch op.Kind {
	case mapper.List:
		op.Other = name
		return nil
	case mapper.SnapshotGroup:
		return nil
	case mapper.MapRead, mapper.MapWrite, mapper.Commit, mapper.Flush, mapper.Close:
		if name == "" {
			return nil
		}
	}
	op.Name = name
	return checkName(name)
}

func (j *job) decodeArgs() (err error) {
	r, op := j.req, &j.op
	switch op.Kind {
	case mapper.MapRead:
		op.Index = int64(r.Offset())
		return j.decodeMapRead(r.Size(), len(r.Data()))
	case mapper.MapWrite:
		op.Index = int64(r.Offset())
	case mapper.Commit:
		op.Index = int64(r.Offset())
		op.Replace = r.Flags()&xseg.ReqReplace != 0
		err = Entry(r.PayloadIn(), &op.Entry)
	case mapper.Snapshot:
		if err = j.decodeGroup(); err == nil {
			op.Other, err = NameArgs(r.Data())
		}
	case mapper.Rename, mapper.Rollback:
		op.Other, err = NameArgs(r.Data())
	case mapper.Resize:
		op.Size = int64(r.Size())
	case mapper.Release:
		op.Force = r.Flags()&xseg.ReqForce != 0
	case mapper.SnapshotGroup:
		op.Data = append([]byte(nil), r.Data()...)
		err = j.decodeGroup()
	case mapper.Diff:
		op.Index = int64(r.Offset())
		err = j.decodeDiff(r.Size(), len(r.Data()))
	case mapper.Clone:
		var a CloneArgs
		a, err = ParseCloneArgs(r.Data())
		op.Other, op.Size, op.ObjectSize = a.Origin, a.Size, a.ObjectSize
	case mapper.List:
		op.Data = r.Data()
	}
	return err
}

func (j *job) decodeMapRead(count uint64, room int) error {
	if count > uint64(room/EntryBytes) {
		return fmt.Errorf("%d map entries into %d bytes: %w", count, room, mapper.ErrArgument)
	}
	if uint64(cap(j.entries)) < count {
		j.entries = make([]mapfmt.Entry, count)
	}
	j.op.Entries = j.entries[:count]
	return nil
}

// decodeGroup reads group arguments; a snapshot that belongs to none may come without.
func (j *job) decodeGroup() error {
	in, op := j.req.PayloadIn(), &j.op
	if len(in) == 0 && op.Kind == mapper.Snapshot {
		return nil
	}
	a, err := ParseGroupArgs(in)
	op.Group, op.Members = a.Group, a.Members
	return err
}

func (j *job) decodeDiff(count uint64, room int) (err error) {
	if count == 0 || count > uint64(room/RangeBytes) {
		return fmt.Errorf("%d ranges into %d bytes: %w", count, room, mapper.ErrArgument)
	}
	j.op.Ranges = make([]mapper.Range, count)
	j.op.Other, err = NameArgs(j.req.Data())
	return err
}
