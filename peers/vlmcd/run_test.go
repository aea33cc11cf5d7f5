package vlmcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	volumes "archipelago/internal/volume"
	"archipelago/peers/blocker/memstore"
	blockers "archipelago/peers/blocker/remote"
	"archipelago/peers/mapper"
	mappers "archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// lockedMapper is a fakeMapper that answers within Submit, for a loop.
type lockedMapper struct {
	mu sync.Mutex
	m  *fakeMapper
}

func (l *lockedMapper) Submit(op *mapper.Op) {
	l.mu.Lock()
	l.m.do(op)
	l.mu.Unlock()
	op.Done(op)
}

// segment is a node's segment with a mapper, a blocker and a configuration.
type segment struct {
	t    *testing.T
	cfg  *config.Config
	seg  *xseg.Segment
	maps *lockedMapper
}

func newSegment(t *testing.T, threads int) *segment {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
	name := fmt.Sprintf("vlmcdtest-%d-%d", os.Getpid(), time.Now().UnixNano())
	dir, err := os.MkdirTemp("", "vlmcd") // short: a socket's path ends at 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	spec := xseg.Spec{Name: name, Ports: 2048, SizeMiB: 256, PageShift: 12}
	if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: dir, Group: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = xseg.Destroy(name, true) })
	s := &segment{t: t, maps: &lockedMapper{m: newWorld(t, 1).maps}}
	s.cfg = testConfig(name, threads)
	if s.seg, err = xseg.Join(name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.seg.Leave() })
	return s
}

// run runs f until the test ends.
func (s *segment) run(f func(ctx context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// peer serves a port with a handler until the test ends.
func (s *segment) peer(no xseg.PortNo, h xseg.Handler) {
	s.t.Helper()
	loop, err := s.seg.NewLoop()
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := loop.Bind(context.Background(), no, xseg.BindOptions{Role: "test", Handler: h}); err != nil {
		s.t.Fatal(err)
	}
	s.run(func(ctx context.Context) error { return errors.Join(loop.Run(ctx), loop.Close()) })
}

// node starts all three peers and a client; vlmcd can be stopped and started again.
func (s *segment) node() (client *volumes.Client, restart func()) {
	s.t.Helper()
	s.peer(1000, blockers.Serve(memstore.New()))
	s.peer(1001, mappers.Serve(s.maps))
	start := func() func() {
		return s.run(func(ctx context.Context) error { return Run(ctx, s.cfg, "vlmcd") })
	}
	stop := start()
	restart = func() { stop(); stop = start() }
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		c, err := volumes.Dial(ctx, s.cfg, volumes.Options{})
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err = c.Open(ctx, "none"); !errors.Is(err, xseg.ErrNotRunning) {
			s.t.Cleanup(func() { c.Close() })
			return c, restart
		}
		c.Close()
	}
}

// TestOverASegment does I/O and control through a segment, on several threads, and over a restart.
func TestOverASegment(t *testing.T) {
	s := newSegment(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	ports := map[uint32]bool{}
	c, restart := s.node()
	for i := range 6 {
		name := fmt.Sprint("v", i)
		s.maps.mu.Lock()
		info := s.maps.m.create(name, 16<<20, mapfmt.DefaultObjectSize)
		s.maps.mu.Unlock()
		v, err := c.Open(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if v.Info().UUID != info.UUID || v.Info().Port != uint32(PortOf(s.cfg.Role("vlmcd"), info.UUID)) {
			t.Errorf("%+v", v.Info())
		}
		ports[v.Info().Port] = true
		data := bytes.Repeat([]byte{byte(i + 1)}, 5<<20)
		if err := v.WriteAt(ctx, data, 2<<20+512); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(v.Flush(ctx), v.WriteZeroes(ctx, 3<<20, 4096), v.Discard(ctx, 0, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Snapshot(ctx, name, name+"-s"); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			restart()
		}
		got := make([]byte, len(data))
		if err := v.ReadAt(ctx, got, 2<<20+512); err != nil {
			t.Fatal(err)
		}
		clear(data[1<<20-512 : 1<<20+4096-512])
		if !bytes.Equal(got, data) {
			t.Errorf("%s differs", name)
		}
		snap, err := c.Open(ctx, name+"-s")
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.WriteAt(ctx, got[:512], 0); !errors.Is(err, mapper.ErrReadOnly) || !strings.Contains(err.Error(), name) {
			t.Errorf("write to a snapshot: %v", err)
		}
		if err := errors.Join(c.CloseVolume(ctx, name), c.Remove(ctx, name+"-s")); err != nil {
			t.Error(err)
		}
	}
	if len(ports) < 2 {
		t.Errorf("all volumes are on one thread: %v", ports)
	}
	if _, err := c.Open(ctx, "none"); !errors.Is(err, mapper.ErrNotFound) {
		t.Errorf("open of nothing: %v", err)
	}
}
