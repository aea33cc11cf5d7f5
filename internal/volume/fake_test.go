package volume

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything may take before a test gives up: generous, never a measure.
const patience = 20 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Ports of the fake node. Volumes whose names begin with "b" are served by the second thread.
const (
	mapperPort = 1001
	threadA    = 500
	threadB    = 501
)

// node is a fake one: a mapper and two vlmcd threads in this process, volumes in memory.
type node struct {
	*xsegtest.Node
	mu      sync.Mutex
	volumes map[string]*fakeVolume
	serial  byte
	ids     map[xseg.RequestID]int // how often each control request came

	hold    atomic.Bool // vlmcd keeps reads instead of answering
	held    chan *xseg.Request
	errno   atomic.Uint32 // of all I/O
	flushes atomic.Int32
	fuas    atomic.Int32

	steps   []string     // of groups
	stale   atomic.Int32 // so many snapshots of groups find their freeze ended
	endless atomic.Bool  // a diff doesn't get on
}

type fakeVolume struct {
	info mapper.Info
	data []byte
}

func newNode(t testing.TB) *node {
	n := &node{
		Node: xsegtest.New(t), volumes: make(map[string]*fakeVolume),
		ids: make(map[xseg.RequestID]int), held: make(chan *xseg.Request, 1024),
	}
	m := n.Peer(t)
	m.Bind(mapperPort, xseg.BindOptions{Role: "mapperd", Handler: remote.Serve(n)})
	m.Run()
	for _, no := range []xseg.PortNo{threadA, threadB} {
		v := n.Peer(t)
		v.Bind(no, xseg.BindOptions{Role: "vlmcd", Handler: func(r *xseg.Request) { n.serve(no, r) }})
		v.Run()
	}
	return n
}

func (n *node) config() *config.Config {
	return &config.Config{
		SegmentName: n.Name, VtoolStart: 1003, VtoolEnd: 1022,
		Roles: []config.Role{
			{Name: "mapperd", Type: config.TypeMapper, PortStart: mapperPort, PortEnd: mapperPort},
			{Name: "vlmcd", Type: config.TypeVlmcd, PortStart: threadA, PortEnd: threadB},
		},
	}
}

func (n *node) dial(t testing.TB, opts Options) *Client {
	t.Helper()
	c, err := Dial(testContext(t), n.config(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// volume makes a volume and opens it.
func (n *node) volume(t testing.TB, c *Client, name string, size int64) *Volume {
	t.Helper()
	if _, err := c.Create(testContext(t), name, size, 0); err != nil {
		t.Fatal(err)
	}
	v, err := c.Open(testContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Submit implements mapper.Mapper for what tools ask.
func (n *node) Submit(op *mapper.Op) {
	n.mu.Lock()
	n.ids[op.RequestID]++
	op.Info, op.Err = n.answer(op)
	n.mu.Unlock()
	op.Done(op)
}

func (n *node) answer(op *mapper.Op) (mapper.Info, error) {
	v := n.volumes[op.Name]
	switch op.Kind {
	case mapper.InfoOf:
		if v == nil {
			return mapper.Info{}, fmt.Errorf("volume %s: %w", op.Name, mapper.ErrNotFound)
		}
		return v.info, nil
	case mapper.Clone:
		if v != nil {
			return mapper.Info{}, mapper.ErrExists
		}
		if origin := n.volumes[op.Other]; op.Other != "" && origin == nil {
			return mapper.Info{}, mapper.ErrNotFound
		} else if op.Other != "" {
			return n.add(op.Name, origin.info.Size, origin.data, 0).info, nil
		}
		return n.add(op.Name, op.Size, nil, 0).info, nil
	case mapper.List:
		return mapper.Info{}, n.list(op)
	case mapper.SnapshotGroup:
		n.steps = append(n.steps, fmt.Sprint("group", op.Members))
		return mapper.Info{}, nil
	case mapper.UsageOf, mapper.Diff, mapper.MapRead:
		n.view(op)
		return mapper.Info{}, nil
	}
	return mapper.Info{}, mapper.ErrArgument
}

// view answers what is asked about a map: every thousandth object is there, and four ranges differ,
// two per page.
func (n *node) view(op *mapper.Op) {
	op.Usage = mapper.Usage{Allocated: 1, Exclusive: 2, Shared: 3, Objects: 4}
	for i := range op.Entries {
		at := op.Index + int64(i)
		op.Entries[i] = mapfmt.Entry{}
		if at%1000 == 0 {
			op.Entries[i].NumLevels = 1
			op.Entries[i].Levels[0] = mapfmt.Level{UUID: op.Volume, Epoch: 1, Birth: uint64(at), Mask: 1}
		}
	}
	if op.Kind == mapper.Diff {
		op.Ranges[0] = mapper.Range{Offset: op.Index * 10, Length: 5}
		op.Ranges[1] = mapper.Range{Offset: op.Index*10 + 10, Length: 5}
		op.N, op.More = 2, op.Index == 0 || n.endless.Load()
		if op.Index += 2; n.endless.Load() {
			op.Index = 2
		}
	}
}

// change is a map change at vlmcd.
func (n *node) change(v *fakeVolume, name string, r *xseg.Request) {
	switch r.Op() {
	case xseg.OpRename:
		delete(n.volumes, name)
		v.info.Name, _ = remote.NameArgs(r.Data())
		n.volumes[v.info.Name] = v
	case xseg.OpRollback:
		other, _ := remote.NameArgs(r.Data())
		v.info.Size = n.volumes[other].info.Size
	case xseg.OpResize:
		v.info.Size = int64(r.Size())
	}
	remote.PutInfo(r.Payload(), &v.info)
	r.SetPayloadLen(remote.InfoBytes)
}

// member takes a request about a group; true if a snapshot is to be made.
func (n *node) member(r *xseg.Request) bool {
	a, err := ParseMemberArgs(r.PayloadIn())
	_, unnamed := remote.NameArgs(r.Data())
	switch {
	case err != nil:
		r.RespondOnLoop(syscall.EINVAL, 0)
	case unnamed != nil && a.Token == 0:
		n.steps = append(n.steps, "freeze")
		r.RespondOnLoop(0, 77)
	case unnamed != nil:
		n.steps = append(n.steps, "thaw")
		r.RespondOnLoop(0, 0)
	case a.Token != 77 || n.stale.Add(-1) >= 0:
		r.RespondOnLoop(syscall.ESTALE, 0)
	default:
		return true
	}
	return false
}

// groupSteps returns what was done for groups since it was asked last.
func (n *node) groupSteps() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	steps := n.steps
	n.steps = nil
	return steps
}

func (n *node) add(name string, size int64, data []byte, flags uint32) *fakeVolume {
	n.serial++
	v := &fakeVolume{data: make([]byte, size)}
	copy(v.data, data)
	v.info = mapper.Info{Name: name, UUID: [16]byte{n.serial}, Size: size, ObjectSize: 4 << 20, Flags: flags, Created: 1}
	n.volumes[name] = v
	return v
}

// list answers with three names per page at most.
func (n *node) list(op *mapper.Op) error {
	var names []string
	for name := range n.volumes {
		if name > op.Other {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	op.N = 0
	for i, name := range names {
		if i == 3 {
			op.More = true
			break
		}
		binary.LittleEndian.PutUint16(op.Data[op.N:], uint16(len(name)))
		op.N += 2 + int64(copy(op.Data[op.N+2:], name))
	}
	return nil
}

// serve is a vlmcd thread.
func (n *node) serve(no xseg.PortNo, r *xseg.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := string(r.Target())
	right := xseg.PortNo(threadA)
	if name[0] == 'b' {
		right = threadB
	}
	v := n.volumes[name]
	switch {
	case v == nil:
		r.RespondOnLoop(syscall.ENOENT, 0)
	case r.Op() == xseg.OpOpen:
		info := v.info
		info.Port = uint32(right)
		remote.PutInfo(r.Payload(), &info)
		r.SetPayloadLen(remote.InfoBytes)
		r.RespondOnLoop(0, 0)
	case no != right:
		remote.PutInfo(r.Payload(), &mapper.Info{Port: uint32(right)})
		r.SetPayloadLen(remote.InfoBytes)
		r.RespondOnLoop(syscall.ESTALE, 0)
	case r.Volume() != v.info.UUID && r.Op() != xseg.OpSnapshot && r.Op() != xseg.OpClose:
		r.RespondOnLoop(syscall.ESTALE, 0)
	case r.Op() == xseg.OpRead && n.hold.Load():
		n.held <- r
	default:
		n.serveRight(v, name, r)
	}
}

func (n *node) serveRight(v *fakeVolume, name string, r *xseg.Request) {
	if e := n.errno.Load(); e != 0 {
		r.SetPayloadLen(copy(r.Payload(), "the cause"))
		r.RespondOnLoop(syscall.Errno(e), 0)
		return
	}
	off, size := r.Offset(), r.Size()
	if r.Flags()&xseg.ReqFUA != 0 {
		n.fuas.Add(1)
	}
	switch r.Op() {
	case xseg.OpRead:
		copy(r.Data(), v.data[off:off+size])
	case xseg.OpWrite:
		copy(v.data[off:off+size], r.Data())
	case xseg.OpWriteZeroes, xseg.OpDiscard:
		clear(v.data[off : off+size])
	case xseg.OpFlush:
		n.flushes.Add(1)
	case xseg.OpRename, xseg.OpRollback, xseg.OpResize:
		n.change(v, name, r)
	case xseg.OpFlatten:
		r.RespondOnLoop(0, size/2)
		return
	case xseg.OpSnapshot:
		if len(r.PayloadIn()) > 0 && !n.member(r) {
			return
		}
		other, err := remote.NameArgs(r.Data())
		if err != nil {
			r.RespondOnLoop(mapper.Errno(err), 0)
			return
		}
		if n.volumes[other] != nil {
			r.RespondOnLoop(syscall.EEXIST, 0)
			return
		}
		if len(r.PayloadIn()) > 0 {
			n.steps = append(n.steps, "snapshot")
		}
		info := n.add(other, v.info.Size, v.data, 1).info
		remote.PutInfo(r.Payload(), &info)
		r.SetPayloadLen(remote.InfoBytes)
	case xseg.OpDelete:
		delete(n.volumes, name)
	case xseg.OpClose:
	}
	r.RespondOnLoop(0, size)
}
