package remote

import (
	"fmt"
	"sync"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Option changes what New makes.
type Option func(*client)

// OnLoop is for a submitter that calls Submit on the channel's loop only: the mapper is woken once
// at the end of the batch. Done always runs on the loop.
func OnLoop() Option { return func(c *client) { c.onLoop = true } }

// New returns the mapper at the other end of ch. Nothing is allocated for MapRead, MapWrite,
// Commit and Flush. Submit never blocks: what finds no room in the channel waits in a queue (its
// length is bounded by how much the submitter has under way) and goes out when room appears.
func New(ch *xseg.Channel, opts ...Option) mapper.Mapper {
	c := &client{ch: ch}
	c.done = c.finish
	for _, o := range opts {
		o(c)
	}
	ch.OnRoom(c.drain)
	return c
}

type client struct {
	ch     *xseg.Channel
	onLoop bool
	done   func(*xseg.Call) // finish, made once: a method value allocates

	mu      sync.Mutex
	waiting []*mapper.Op // found no room; in order
}

// Submit implements mapper.Mapper.
func (c *client) Submit(op *mapper.Op) {
	if err := checkOp(op); err != nil {
		op.Err = err
		op.Done(op)
		return
	}
	c.mu.Lock()
	call := c.next(op)
	c.mu.Unlock()
	if call != nil {
		c.send(call, op, c.onLoop)
	}
}

// next takes a call for op, or queues op behind those that wait already. c.mu is held.
func (c *client) next(op *mapper.Op) *xseg.Call {
	if len(c.waiting) == 0 {
		if call := c.get(op); call != nil {
			return call
		}
	}
	c.waiting = append(c.waiting, op)
	return nil
}

// get takes a call, if there is one.
func (c *client) get(op *mapper.Op) *xseg.Call {
	if c.onLoop {
		return c.ch.GetOnLoop(dataBytes(op))
	}
	return c.ch.Get(dataBytes(op))
}

// drain sends what waits, until there is no room again. On the loop.
func (c *client) drain() {
	for {
		c.mu.Lock()
		if len(c.waiting) == 0 {
			c.mu.Unlock()
			return
		}
		op := c.waiting[0]
		call := c.ch.GetOnLoop(dataBytes(op))
		if call != nil {
			c.waiting = c.waiting[1:]
		}
		c.mu.Unlock()
		if call == nil {
			return
		}
		c.send(call, op, true)
	}
}

func (c *client) send(call *xseg.Call, op *mapper.Op, onLoop bool) {
	call.User = op
	call.Done = c.done
	encode(call, op)
	if onLoop {
		call.SubmitOnLoop()
	} else {
		call.Submit()
	}
}

// finish takes the reply. The call is given back before op.Done, which may want its slot.
func (c *client) finish(call *xseg.Call) {
	op := call.User.(*mapper.Op)
	if n := call.Errno(); n != 0 {
		op.Err = Error(n, call.Payload()[:call.PayloadLen()])
	} else {
		op.Err = decodeReply(call, op)
	}
	call.PutOnLoop()
	op.Done(op)
}

// checkOp refuses what a request can't carry.
func checkOp(op *mapper.Op) error {
	if op.Kind < mapper.Open || op.Kind > mapper.Release {
		return fmt.Errorf("operation %d: %w", op.Kind, mapper.ErrArgument)
	}
	if len(op.Name) > xseg.TargetMax || len(op.Other) > xseg.TargetMax {
		return fmt.Errorf("name of %d bytes: %w", max(len(op.Name), len(op.Other)), mapper.ErrName)
	}
	if n := dataBytes(op); n > xseg.MaxData {
		return fmt.Errorf("%d bytes of data: %w", n, mapper.ErrArgument)
	}
	return nil
}

// dataBytes is the size of the buffer that op needs.
func dataBytes(op *mapper.Op) int {
	switch op.Kind {
	case mapper.MapRead:
		return len(op.Entries) * EntryBytes
	case mapper.Snapshot, mapper.Rename, mapper.Rollback:
		return NameArgsBytes
	case mapper.Clone:
		return CloneArgsBytes
	case mapper.List, mapper.SnapshotGroup:
		return len(op.Data)
	case mapper.Diff:
		return max(NameArgsBytes, len(op.Ranges)*RangeBytes)
	}
	return 0
}

// opcodes maps kinds to the numbers of requests.
var opcodes = [...]uint32{
	mapper.Open: xseg.OpOpen, mapper.Close: xseg.OpClose, mapper.MapRead: xseg.OpMapr,
	mapper.MapWrite: xseg.OpMapw, mapper.Commit: xseg.OpCommit, mapper.Flush: xseg.OpFlush,
	mapper.Snapshot: xseg.OpSnapshot, mapper.Clone: xseg.OpClone, mapper.InfoOf: xseg.OpInfo,
	mapper.List: xseg.OpList, mapper.Delete: xseg.OpDelete,
	mapper.Rename: xseg.OpRename, mapper.Rollback: xseg.OpRollback, mapper.Resize: xseg.OpResize,
	mapper.SnapshotGroup: xseg.OpSnapshotGroup, mapper.UsageOf: xseg.OpUsage, mapper.Diff: xseg.OpDiff,
	mapper.Acquire: xseg.OpAcquire, mapper.Release: xseg.OpRelease,
}

func encode(call *xseg.Call, op *mapper.Op) {
	call.Op = opcodes[op.Kind]
	call.Volume = op.Volume
	call.Term = op.Term
	call.RequestID = op.RequestID
	call.SetTarget(op.Name)
	switch op.Kind {
	case mapper.MapRead:
		call.Offset, call.Size = uint64(op.Index), uint64(len(op.Entries))
	case mapper.MapWrite:
		call.Offset = uint64(op.Index)
	case mapper.Commit:
		call.Offset = uint64(op.Index)
		PutEntry(call.Payload(), &op.Entry)
		call.SetPayloadLen(EntryBytes)
		if op.Replace {
			call.Flags = xseg.ReqReplace
		}
	case mapper.Snapshot:
		PutNameArgs(call.Data(), op.Other)
		encodeGroup(call, op)
	case mapper.Rename, mapper.Rollback:
		PutNameArgs(call.Data(), op.Other)
	case mapper.Resize:
		call.Size = uint64(op.Size)
	case mapper.Release:
		if op.Force {
			call.Flags = xseg.ReqForce
		}
	case mapper.SnapshotGroup:
		copy(call.Data(), op.Data)
		encodeGroup(call, op)
	case mapper.Diff:
		call.Offset, call.Size = uint64(op.Index), uint64(len(op.Ranges))
		PutNameArgs(call.Data(), op.Other)
	case mapper.Clone:
		PutCloneArgs(call.Data(), CloneArgs{Origin: op.Other, Size: op.Size, ObjectSize: op.ObjectSize})
	case mapper.List:
		call.SetTarget(op.Other)
	}
}

func encodeGroup(call *xseg.Call, op *mapper.Op) {
	PutGroupArgs(call.Payload(), GroupArgs{op.Group, op.Members})
	call.SetPayloadLen(GroupArgsBytes)
}

// decodeReply reads what a successful reply carries.
func decodeReply(call *xseg.Call, op *mapper.Op) (err error) {
	payload := call.Payload()[:call.PayloadLen()]
	switch op.Kind {
	case mapper.Open, mapper.InfoOf, mapper.Clone, mapper.Rollback, mapper.Resize, mapper.Acquire:
		op.Info, err = Info(payload, op.Name)
	case mapper.Snapshot, mapper.Rename:
		op.Info, err = Info(payload, op.Other)
	case mapper.MapWrite, mapper.Commit:
		err = Entry(payload, &op.Entry)
	case mapper.MapRead:
		err = decodeEntries(call.Data(), op.Entries)
	case mapper.List:
		err = decodeList(call, op, payload)
	case mapper.UsageOf:
		op.Usage, err = Usage(payload)
	case mapper.Diff:
		err = decodeDiff(call, op, payload)
	}
	return err
}

func decodeEntries(b []byte, entries []mapfmt.Entry) error {
	for i := range entries {
		if err := Entry(b[min(i*EntryBytes, len(b)):], &entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func decodeList(call *xseg.Call, op *mapper.Op, payload []byte) error {
	n := call.Serviced()
	if n > uint64(len(op.Data)) || len(payload) < 4 {
		return fmt.Errorf("list of %d bytes for %d: %w", n, len(op.Data), mapper.ErrArgument)
	}
	op.N = int64(copy(op.Data[:n], call.Data()))
	op.More = le.Uint32(payload) != 0
	return nil
}

func decodeDiff(call *xseg.Call, op *mapper.Op, payload []byte) (err error) {
	n := call.Serviced()
	if n > uint64(len(op.Ranges)) {
		return fmt.Errorf("%d ranges for %d: %w", n, len(op.Ranges), mapper.ErrArgument)
	}
	for i := range op.Ranges[:n] {
		if op.Ranges[i], err = Range(call.Data()[i*RangeBytes:]); err != nil {
			return err
		}
	}
	op.N = int64(n)
	op.Index, op.More, err = DiffNext(payload)
	return err
}
