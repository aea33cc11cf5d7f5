package xseg_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

func TestCreateTwice(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	p.Bind(10, xseg.BindOptions{Role: "blockerb"})
	err := xseg.Create(xseg.Spec{Name: n.Name, Ports: 64, SizeMiB: 16, PageShift: 12},
		xseg.CreateOptions{RuntimeDir: n.RuntimeDir, Group: -1})
	if !errors.Is(err, xseg.ErrExists) || !strings.Contains(err.Error(), "role blockerb") {
		t.Fatal(err)
	}
}

func TestDestroy(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	p.Bind(10, xseg.BindOptions{Role: "blockerb", Handler: xsegtest.Echo})
	if err := xseg.Destroy(n.Name, false); !errors.Is(err, xseg.ErrBusy) ||
		!strings.Contains(err.Error(), "blockerb") {
		t.Fatal(err)
	}
	p.Stop()
	if err := xseg.Destroy(n.Name, false); err != nil {
		t.Fatal(err)
	}
	if _, err := xseg.Join(n.Name); !errors.Is(err, xseg.ErrNoSegment) {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(n.RuntimeDir); len(left) != 0 {
		t.Fatal(left)
	}
	spec := xseg.Spec{Name: n.Name, Ports: 64, SizeMiB: 16, PageShift: 12}
	if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: n.RuntimeDir, Group: -1}); err != nil {
		t.Fatal(err)
	}
}

// TestDestroyedUnderfoot: who still has a destroyed segment can't begin anything in it.
func TestDestroyedUnderfoot(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	if err := xseg.Destroy(n.Name, false); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Loop.Bind(t.Context(), 10, xseg.BindOptions{}); !errors.Is(err, xseg.ErrNoSegment) {
		t.Fatal(err)
	}
	spec := xseg.Spec{Name: n.Name, Ports: 64, SizeMiB: 16, PageShift: 12}
	if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: n.RuntimeDir, Group: -1}); err != nil {
		t.Fatal(err) // the fixture destroys it
	}
}

func TestRuntimeDirTooLong(t *testing.T) {
	err := xseg.Create(xseg.Spec{Name: "xsegtest-long", Ports: 64, SizeMiB: 16, PageShift: 12},
		xseg.CreateOptions{RuntimeDir: "/tmp/" + strings.Repeat("x", 80), Group: -1})
	if !errors.Is(err, xseg.ErrLimit) || !strings.Contains(err.Error(), "79") {
		t.Fatal(err)
	}
}

func TestJoinWhatIsNone(t *testing.T) {
	if _, err := xseg.Join("xsegtest-none"); !errors.Is(err, xseg.ErrNoSegment) {
		t.Fatal(err)
	}
	if _, err := xseg.Join("../etc/passwd"); !errors.Is(err, xseg.ErrSpec) {
		t.Fatal(err)
	}
	path := "/dev/shm/xsegtest-garbage"
	if err := os.WriteFile(path, make([]byte, 10000), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	if _, err := xseg.Join("xsegtest-garbage"); !errors.Is(err, xseg.ErrVersion) {
		t.Fatal(err)
	}
}

func TestBindBusy(t *testing.T) {
	n := xsegtest.New(t)
	a, b := n.Peer(t), n.Peer(t)
	a.Bind(10, xseg.BindOptions{Role: "vlmcd"})
	for _, l := range []*xseg.Loop{a.Loop, b.Loop} {
		_, err := l.Bind(t.Context(), 10, xseg.BindOptions{Role: "vlmcd"})
		if !errors.Is(err, xseg.ErrBusy) || !strings.Contains(err.Error(), "role vlmcd") {
			t.Fatal(err)
		}
	}
	if _, err := a.Loop.Bind(t.Context(), xsegtest.Ports, xseg.BindOptions{}); !errors.Is(err, xseg.ErrLimit) {
		t.Fatal(err)
	}
	a.Stop()
	b.Bind(10, xseg.BindOptions{Role: "other"})
}

func TestBindAny(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	for want := xseg.PortNo(20); want <= 21; want++ {
		port, err := p.Loop.BindAny(t.Context(), 20, 21, xseg.BindOptions{})
		if err != nil || port.No() != want {
			t.Fatal(port, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Loop.BindAny(ctx, 20, 21, xseg.BindOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestConnectErrors(t *testing.T) {
	n := xsegtest.NewSized(t, 64, 16)
	p := n.Peer(t)
	port := p.Bind(10, xseg.BindOptions{})
	n.Child(t, "echo", []string{"11"}).Ready()
	for _, c := range []struct {
		dst  xseg.PortNo
		opts xseg.ChannelOptions
		want error
	}{
		{12, xseg.ChannelOptions{Slots: 8}, xseg.ErrNotRunning},
		{64, xseg.ChannelOptions{Slots: 8}, xseg.ErrLimit},
		{11, xseg.ChannelOptions{Slots: 3}, xseg.ErrLimit},
		{11, xseg.ChannelOptions{Slots: 2048}, xseg.ErrLimit},
		{11, xseg.ChannelOptions{Slots: 8, BufferBytes: -1}, xseg.ErrLimit},
		{11, xseg.ChannelOptions{Slots: 8, BufferBytes: 16 << 20}, xseg.ErrNoMemory},
	} {
		if _, err := port.Connect(t.Context(), c.dst, c.opts); !errors.Is(err, c.want) {
			t.Errorf("connect to %d with %+v: %v, want %v", c.dst, c.opts, err, c.want)
		}
	}
	if l := p.Segment.Channels(); len(l) != 0 {
		t.Fatal(l)
	}
}

func TestLease(t *testing.T) {
	n := xsegtest.New(t)
	if deadline, term := n.Join(t).Lease(); deadline != ^uint64(0) || term != 1 {
		t.Fatal(deadline, term)
	}
}

func TestOffsetOf(t *testing.T) {
	n := xsegtest.New(t)
	n.Child(t, "echo", []string{"11"}).Ready()
	p := n.Peer(t)
	c := p.Connect(p.Bind(10, xseg.BindOptions{}), 11, xseg.ChannelOptions{Slots: 8, BufferBytes: 1 << 20})
	k := c.Get(10000)
	off, ok := p.Segment.OffsetOf(k.Data())
	if !ok || off%xseg.PageSize != 0 {
		t.Fatal(off, ok)
	}
	if o, ok := p.Segment.OffsetOf(k.Data()[5:]); !ok || o != off+5 {
		t.Fatal(o, ok)
	}
	if _, ok := p.Segment.OffsetOf(make([]byte, 10)); ok {
		t.Fatal("heap memory lies in the segment")
	}
	k.Put()
}
