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
	}
	return mapper.Info{}, mapper.ErrArgument
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
	case xseg.OpSnapshot:
		other, err := remote.NameArgs(r.Data())
		if err != nil {
			r.RespondOnLoop(mapper.Errno(err), 0)
			return
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
