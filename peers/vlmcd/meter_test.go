package vlmcd

import (
	"context"
	"errors"
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
