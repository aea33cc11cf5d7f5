package xseg_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"archipelago/xseg"
	"archipelago/xseg/internal/step"
	"archipelago/xseg/xsegtest"
)

// volumesRole: volumes PORT NAME… serves requests on volumes as a vlmcd does: it inherits the rows
// of its predecessor, claims one for each NAME that has none (and gives the row of "-NAME" back),
// and counts the requests on the first. It says how many it has inherited.
func volumesRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	no, _ := strconv.Atoi(args[0])
	l, err := s.NewLoop()
	if err != nil {
		return err
	}
	var rows map[xseg.UUID]*xseg.VolumeRow
	p, err := l.Bind(ctx, xseg.PortNo(no), xseg.BindOptions{Role: "volumes", Handler: func(r *xseg.Request) {
		row := rows[r.Volume()]
		row.Begin()
		row.End(xseg.VolumeWrite, int64(r.Size()), r.Received(), r.Size() == 0)
		r.RespondOnLoop(0, 0)
	}})
	if err != nil {
		return err
	}
	rows = map[xseg.UUID]*xseg.VolumeRow{}
	for _, r := range p.InheritVolumes(func(xseg.UUID) bool { return true }) {
		rows[r.UUID()] = r
	}
	inherited := len(rows)
	for _, name := range args[1:] {
		name, gone := strings.CutPrefix(name, "-")
		u := uuidOf(name)
		if rows[u] == nil {
			if rows[u], err = p.ClaimVolume(u, name, 1<<30); err != nil {
				return err
			}
		}
		if gone {
			rows[u].Release()
		}
	}
	ready()
	fmt.Println(inherited)
	if err := l.Run(ctx); err != nil {
		return err
	}
	return l.Close()
}

func uuidOf(name string) (u xseg.UUID) {
	copy(u[:], name)
	return u
}

// ask sends n requests of size bytes on a volume and waits for all.
func ask(t *testing.T, c *xseg.Channel, volume string, n int, size uint64) {
	t.Helper()
	for range n {
		k, err := c.GetWait(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		k.Op, k.Volume, k.Size = xseg.OpWrite, uuidOf(volume), size
		k.Done = func(*xseg.Call) { close(done) }
		k.Submit()
		<-done
		k.Put()
	}
}

func volumeNamed(list []xseg.VolumeInfo, name string) *xseg.VolumeInfo {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// TestVolumeCounters: what is counted is read without asking, goes on after a kill, and ends with
// the volume.
func TestVolumeCounters(t *testing.T) {
	n := xsegtest.New(t)
	s := n.Join(t)
	first := n.Child(t, "volumes", []string{"10", "a", "b"})
	first.Ready()
	first.Line()
	_, c := newClient(t, n, 20, 10, small)
	ask(t, c, "a", 30, 4096)
	ask(t, c, "a", 2, 0)
	// The counters reach the segment when the loop rests; stopping it makes it rest.
	first.Signal(syscall.SIGTERM)
	first.Wait()
	v := volumeNamed(s.Volumes(), "a")
	if v == nil || v.Alive || v.Port != 10 || v.SizeBytes != 1<<30 || v.UUID != uuidOf("a") || v.Depth != 0 {
		t.Fatalf("%+v", v)
	}
	w := v.Ops[xseg.VolumeWrite]
	var timed uint64
	for _, k := range w.Latency {
		timed += k
	}
	if w.Requests != 32 || w.Errors != 2 || w.Bytes != 30*4096 || timed != 32 {
		t.Errorf("%d requests, %d errors, %d bytes, %d latencies", w.Requests, w.Errors, w.Bytes, timed)
	}

	second := n.Child(t, "volumes", []string{"10", "a", "-b"})
	if !second.Ready() || second.Line() != "2" {
		t.Fatal("the successor didn't inherit two rows")
	}
	ask(t, c, "a", 8, 4096)
	second.Signal(syscall.SIGTERM)
	second.Wait()
	list := s.Volumes()
	v = volumeNamed(list, "a")
	if v == nil || v.Ops[xseg.VolumeWrite].Requests != 40 || v.Successions != 1 {
		t.Errorf("after a succession: %+v", v)
	}
	if volumeNamed(list, "b") != nil {
		t.Error("a closed volume has a row")
	}
}

// TestVolumeRowKilled: a server killed at any step of taking or giving a row back leaves nothing
// that its successor doesn't tidy up.
func TestVolumeRowKilled(t *testing.T) {
	for _, c := range []struct {
		at    string
		names []string
		left  int // rows inherited
	}{
		{step.VolumeOwned, []string{"a"}, 0},
		{step.VolumePunched, []string{"-a"}, 0},
	} {
		n := xsegtest.New(t)
		s := n.Join(t)
		dead := n.Child(t, "volumes", append([]string{"10"}, c.names...), xsegtest.KillAt(c.at, 1))
		if dead.Ready() {
			t.Fatalf("%s: not killed", c.at)
		}
		if list := s.Volumes(); len(list) != 0 {
			t.Errorf("%s: %+v", c.at, list)
		}
		again := n.Child(t, "volumes", []string{"10", "x"})
		if !again.Ready() || again.Line() != strconv.Itoa(c.left) {
			t.Fatalf("%s: the successor inherited something else", c.at)
		}
		if list := s.Volumes(); len(list) != 1 || list[0].Row != 0 {
			t.Errorf("%s: the first row isn't free again: %+v", c.at, list)
		}
	}
}

// TestVolumeTableFull: a volume without a row is an error that says so, and is counted; a nil row
// counts nothing.
func TestVolumeTableFull(t *testing.T) {
	n := xsegtest.NewSized(t, 64, 16)
	p := n.Peer(t)
	port := p.Bind(10, xseg.BindOptions{Role: "volumes"})
	rows := p.Segment.Info().Volumes
	before := p.Segment.Info().BackedBytes
	var last *xseg.VolumeRow
	for i := range rows {
		r, err := port.ClaimVolume(xseg.UUID{1, byte(i), byte(i >> 8)}, strconv.Itoa(i), 1)
		if err != nil {
			t.Fatal(i, err)
		}
		last = r
	}
	none, err := port.ClaimVolume(xseg.UUID{9}, "more", 1)
	if !errors.Is(err, xseg.ErrLimit) || none != nil {
		t.Fatal(err)
	}
	none.Begin()
	none.End(xseg.VolumeRead, 1, 1, false)
	none.Describe("x", 1)
	none.Release()
	port.MissVolume()
	if got := p.Segment.Info().VolumesMissed; got != 1 {
		t.Errorf("%d missed", got)
	}
	if list := p.Segment.Volumes(); len(list) != rows {
		t.Errorf("%d of %d volumes listed", len(list), rows)
	}
	if used := p.Segment.Info().BackedBytes - before; used != int64(rows)*4096 {
		t.Errorf("%d bytes for %d rows", used, rows)
	}
	last.Release()
	last.Release() // harmless
	last.Describe("x", 1)
	if used := p.Segment.Info().BackedBytes - before; used != int64(rows-1)*4096 {
		t.Errorf("%d bytes after a row was given back", used)
	}
	if r, err := port.ClaimVolume(xseg.UUID{9}, "more", 1); err != nil || r == nil {
		t.Error(err)
	}
}

// TestVolumesUntouched: to list the volumes puts no memory behind rows that aren't in use.
func TestVolumesUntouched(t *testing.T) {
	n := xsegtest.New(t)
	s := n.Join(t)
	before := s.Info().BackedBytes
	if list := s.Volumes(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	if after := s.Info().BackedBytes; after != before {
		t.Errorf("%d bytes before, %d after", before, after)
	}
}

// TestDestroyed: whoever has joined a segment can tell that another one has its name.
func TestDestroyed(t *testing.T) {
	n := xsegtest.New(t)
	s := n.Join(t)
	if s.Destroyed() {
		t.Error("a segment that is there counts as destroyed")
	}
	if err := xseg.Destroy(n.Name, true); err != nil {
		t.Fatal(err)
	}
	if !s.Destroyed() {
		t.Error("not noticed")
	}
	spec := xseg.Spec{Name: n.Name, Ports: 64, SizeMiB: 16, PageShift: 12}
	if err := xseg.Create(spec, xseg.CreateOptions{RuntimeDir: n.RuntimeDir, Group: -1}); err != nil {
		t.Fatal(err)
	}
	if !s.Destroyed() {
		t.Error("taken for its successor")
	}
}

// TestVolumeRename: a reader sees old or new name, whole.
func TestVolumeRename(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	port := p.Bind(10, xseg.BindOptions{Role: "volumes"})
	names := [2]string{strings.Repeat("a", 128), strings.Repeat("b", 100)}
	r, err := port.ClaimVolume(xseg.UUID{1}, names[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.Describe(names[i%2], int64(i%2))
			}
		}
	}()
	defer func() { // before the memory goes
		close(stop)
		<-stopped
	}()
	for range 2000 {
		for _, v := range p.Segment.Volumes() {
			if v.Name != names[v.SizeBytes%2] {
				t.Fatalf("%d bytes, %q", v.SizeBytes, v.Name)
			}
		}
	}
}

// TestVolumeCountAlloc: counting allocates nothing.
func TestVolumeCountAlloc(t *testing.T) {
	n := xsegtest.New(t)
	p := n.Peer(t)
	port := p.Bind(10, xseg.BindOptions{Role: "volumes"})
	r, err := port.ClaimVolume(xseg.UUID{1}, "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(1000, func() {
		r.Begin()
		r.End(xseg.VolumeRead, 4096, 1, false)
	}); got != 0 {
		t.Errorf("%v allocations per request", got)
	}
}

// BenchmarkVolumeCount is what counting adds to a request.
func BenchmarkVolumeCount(b *testing.B) {
	n := xsegtest.New(b)
	p := n.Peer(b)
	port := p.Bind(10, xseg.BindOptions{Role: "volumes"})
	r, err := port.ClaimVolume(xseg.UUID{1}, "a", 1)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r.Begin()
		r.End(xseg.VolumeRead, 4096, 1, false)
	}
}
