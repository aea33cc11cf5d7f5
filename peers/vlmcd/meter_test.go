package vlmcd

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// rowOf waits until the row of a volume is as wanted, and returns it. The counters of a loop that
// rests are up to date, but it rests when it likes.
func (s *segment) rowOf(name string, want func(*xseg.VolumeInfo) bool) *xseg.VolumeInfo {
	s.t.Helper()
	var row *xseg.VolumeInfo
	xsegtest.Eventually(s.t, "the row of "+name, func() bool {
		row = nil
		for _, v := range s.seg.Volumes() {
			if v.Name == name {
				row = &v
			}
		}
		return want(row)
	})
	return row
}

// TestRowsOfVolumes: a volume has a row from its first open until it is closed, over map changes
// and restarts of the server.
func TestRowsOfVolumes(t *testing.T) {
	s := newSegment(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, restart := s.node()
	s.maps.mu.Lock()
	info := s.maps.m.create("v", 16<<20, mapfmt.DefaultObjectSize)
	s.maps.mu.Unlock()
	v, err := c.Open(ctx, "v")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8192)
	err = errors.Join(v.WriteAt(ctx, buf, 0), v.WriteAt(ctx, buf[:512], 512), v.ReadAt(ctx, buf, 0), v.Flush(ctx),
		v.Discard(ctx, 0, 1<<20), v.WriteZeroes(ctx, 0, 4096))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.ReadAt(ctx, buf, 16<<20); err == nil {
		t.Fatal("read past the end")
	}
	counted := func(r *xseg.VolumeInfo) bool {
		return r != nil && r.Ops[xseg.VolumeWrite].Requests == 2 && r.Ops[xseg.VolumeWrite].Bytes == 8192+512 &&
			r.Ops[xseg.VolumeRead].Requests >= 1 && r.Ops[xseg.VolumeRead].Bytes == 8192 &&
			r.Ops[xseg.VolumeFlush].Requests == 1 && r.Ops[xseg.VolumeFlush].Bytes == 0 &&
			r.Ops[xseg.VolumeDiscard].Requests == 2 && r.Ops[xseg.VolumeDiscard].Bytes == 1<<20+4096 &&
			r.Depth == 0
	}
	row := s.rowOf("v", counted)
	if row.UUID != info.UUID || row.SizeBytes != 16<<20 || row.Port != PortOf(s.cfg.Role("vlmcd"), info.UUID) || !row.Alive {
		t.Errorf("%+v", row)
	}
	// Between a map change and the next request the engine knows nothing of the volume.
	if _, err := c.Snapshot(ctx, "v", "v-s"); err != nil {
		t.Fatal(err)
	}
	s.rowOf("v", counted)
	if _, err := c.Resize(ctx, "v", 32<<20); err != nil {
		t.Fatal(err)
	}
	s.rowOf("v", func(r *xseg.VolumeInfo) bool { return r != nil && r.SizeBytes == 32<<20 })
	if _, err := c.Rename(ctx, "v", "w"); err != nil {
		t.Fatal(err)
	}
	s.rowOf("w", counted)
	restart()
	s.rowOf("w", func(r *xseg.VolumeInfo) bool { return counted(r) && r.Successions == 1 && r.Alive })
	if v, err = c.Open(ctx, "w"); err != nil {
		t.Fatal(err)
	}
	if err := v.ReadAt(ctx, buf[:4096], 0); err != nil {
		t.Fatal(err)
	}
	s.rowOf("w", func(r *xseg.VolumeInfo) bool { return r != nil && r.Ops[xseg.VolumeRead].Bytes == 8192+4096 })
	if err := c.CloseVolume(ctx, "w"); err != nil {
		t.Fatal(err)
	}
	s.rowOf("w", func(r *xseg.VolumeInfo) bool { return r == nil })
}

// TestRowsChangeHands: with fewer rows than volumes those that are idle give theirs away, and get
// one again when they aren't; whoever finds none is served without, and that is told.
func TestRowsChangeHands(t *testing.T) {
	for _, idle := range []time.Duration{-1, time.Hour} {
		n := xsegtest.NewSized(t, 64, 16)
		p := n.Peer(t)
		port := p.Bind(10, xseg.BindOptions{Role: "vlmcd"})
		w := newWorld(t, 1)
		missed := map[string]int{}
		w.cfg.IdleRow = idle
		w.cfg.Unmetered = func(name string, _ error) { missed[name]++ }
		w.cfg.Claim = func(u UUID, name string, size int64) (*xseg.VolumeRow, error) {
			if len(p.Segment.Volumes()) == 2 {
				return nil, xseg.ErrLimit
			}
			return port.ClaimVolume(u, name, size)
		}
		w.start()
		do := func(name string) {
			t.Helper()
			info := w.maps.byName[name].info
			var err error
			w.engine.Submit(&Op{Kind: Read, Volume: info.UUID, Name: []byte(name), Data: make([]byte, 512),
				Done: func(op *Op) { err = op.Err }})
			w.drain()
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"a", "b", "c"} {
			w.maps.create(name, 16<<20, mapfmt.DefaultObjectSize)
		}
		has := func(name string) bool {
			list := p.Segment.Volumes()
			return slices.ContainsFunc(list, func(v xseg.VolumeInfo) bool { return v.Name == name })
		}
		for _, name := range []string{"a", "b", "c", "a", "b"} {
			do(name)
			if want := idle < 0 || name != "c"; has(name) != want {
				t.Errorf("idle %v: %s has a row: %v", idle, name, !want)
			}
		}
		if want := idle > 0; (missed["c"] == 1) != want || len(missed) > 1 {
			t.Errorf("idle %v: %v were told to be without a row", idle, missed)
		}
	}
}

// TestRowDepth: what waits while a volume is opened counts as under way, and nothing does at the end.
func TestRowDepth(t *testing.T) {
	w := newWorld(t, 1)
	info := w.maps.create("v", 16<<20, mapfmt.DefaultObjectSize)
	for range 3 {
		w.engine.Submit(&Op{Kind: Write, Volume: info.UUID, Name: []byte("v"), Data: make([]byte, 512), Done: func(*Op) {}})
	}
	w.engine.Submit(&Op{Kind: Flatten, Volume: info.UUID, Name: []byte("v"), Length: 4096, Done: func(*Op) {}})
	v := w.engine.volumes[info.UUID]
	if v.depth != 3 {
		t.Errorf("%d under way, want 3: a flatten isn't counted", v.depth)
	}
	w.drain()
	if v.depth != 0 {
		t.Errorf("%d under way when all have ended", v.depth)
	}
}
