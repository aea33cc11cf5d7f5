package vlmcd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/config"
	volumes "archipelago/internal/volume"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	blockers "archipelago/peers/blocker/remote"
	"archipelago/peers/mapper"
	mappers "archipelago/peers/mapper/remote"
)

// childEnv makes this test binary a vlmcd on the segment that it names.
const childEnv = "VLMCD_TEST_SEGMENT"

// TestChild isn't a test of its own: see childEnv.
func TestChild(t *testing.T) {
	name := os.Getenv(childEnv)
	if name == "" {
		t.Skip("only as the vlmcd of another test")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, testConfig(name, 2), "vlmcd"); err != nil {
		t.Error(err)
	}
	os.Exit(map[bool]int{true: 1}[t.Failed()])
}

// child starts a vlmcd in a process of its own.
func (s *segment) child() *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+s.cfg.SegmentName, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait()
	})
	return cmd
}

// refusing is a mapper that answers every MAPW with "not now" while told is set.
type refusing struct {
	*lockedMapper
	told chan struct{} // one for each refusal; nil: it answers
}

func (r *refusing) Submit(op *mapper.Op) {
	r.mu.Lock()
	told := r.told
	r.mu.Unlock()
	if told != nil && op.Kind == mapper.MapWrite {
		select {
		case told <- struct{}{}:
		default:
		}
		op.Err = mapper.ErrAgain
		op.Done(op)
		return
	}
	r.lockedMapper.Submit(op)
}

func (r *refusing) refuse(told chan struct{}) {
	r.mu.Lock()
	r.told = told
	r.mu.Unlock()
}

// TestStopLeavesWhatWaits: a stop doesn't wait for requests that the mapper can't serve now; it
// doesn't answer them either, and the successor serves them.
func TestStopLeavesWhatWaits(t *testing.T) {
	s := newSegment(t, 2)
	r := &refusing{lockedMapper: s.maps}
	s.maps.m.create("v", 16<<20, 4<<20)
	s.peer(1000, blockers.Serve(memstore.New()))
	s.peer(1001, mappers.Serve(r))
	first := s.child()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c := s.dial(ctx)
	v, err := c.Open(ctx, "v")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.WriteAt(ctx, []byte("before"), 0); err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 1)
	r.refuse(told)
	written := make(chan error, 1)
	go func() { written <- v.WriteAt(ctx, []byte("after"), 4<<20) }()
	<-told
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := first.Wait(); err != nil {
		t.Fatalf("the stop: %v", err)
	}
	if took := time.Since(begun); took > restPatience/2 {
		t.Errorf("the stop took %v", took)
	}
	select {
	case err := <-written:
		t.Fatalf("the write that waits was answered: %v", err)
	default:
	}
	r.refuse(nil)
	s.child()
	if err := <-written; err != nil {
		t.Errorf("the write that waited: %v", err)
	}
	got := make([]byte, 6)
	if err := v.ReadAt(ctx, got, 0); err != nil || !bytes.Equal(got, []byte("before")) {
		t.Errorf("%q, %v", got, err)
	}
	if err := v.ReadAt(ctx, got[:5], 4<<20); err != nil || !bytes.Equal(got[:5], []byte("after")) {
		t.Errorf("%q, %v", got, err)
	}
}

// dial waits for vlmcd.
func (s *segment) dial(ctx context.Context) *volumes.Client {
	s.t.Helper()
	c, err := volumes.Dial(ctx, s.cfg, volumes.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// TestStopEndsWhatHasBegun: what runs ends, what comes later never does, and no map change begins.
func TestStopEndsWhatHasBegun(t *testing.T) {
	for steps := range 40 {
		c := newClient(t, 8*64*kib, 64*kib)
		w := c.w
		c.must(writeOf(0, 64*kib, 1))
		c.snapshot("s")
		var all []*running
		for i := range int64(8) {
			all = append(all, c.begin(writeOf(i*64*kib+512, 40*kib, byte(i+2))))
		}
		for range steps {
			w.step()
		}
		snap := c.begin(Op{Kind: Snapshot, Other: "late", RequestID: [16]byte{9}})
		rests := 0
		w.engine.Stop(func() { rests++ })
		late := c.begin(readOf(0, 512))
		w.drain()
		if rests != 1 || w.engine.underWay != 0 {
			t.Fatalf("after %d steps: at rest %d times, %d under way", steps, rests, w.engine.underWay)
		}
		if late.ended != 0 || snap.ended != 0 || w.maps.byName["late"] != nil {
			t.Fatalf("after %d steps: ended %d and %d", steps, late.ended, snap.ended)
		}
		w.kill()
		for i, r := range all {
			if r.ended == 0 {
				c.must(*r.op)
			} else if r.op.Err != nil {
				t.Fatal(r.op.Err)
			}
			c.expect(int64(i)*64*kib+512, 40*kib, byte(i+2))
		}
		c.must(Op{Kind: Snapshot, Other: "late", RequestID: [16]byte{9}})
	}
}

// TestStopGivesUpOnASilentPeer: rested isn't called while something is under way.
func TestStopGivesUpOnASilentPeer(t *testing.T) {
	c := newClient(t, 64*kib, 64*kib)
	c.must(writeOf(0, 64*kib, 1))
	end := fmt.Sprintf("end of blocker %d ", blocker.Write)
	c.w.hold = func(what string) bool { return strings.HasPrefix(what, end) }
	r := c.begin(writeOf(0, 512, 2))
	c.w.drain()
	rested := false
	c.w.engine.Stop(func() { rested = true })
	c.w.drain()
	if rested || r.ended != 0 {
		t.Error("at rest beside a write that hasn't ended")
	}
	c.w.hold = nil
	c.w.drain()
	if !rested || r.ended != 1 {
		t.Errorf("at rest %v, ended %d", rested, r.ended)
	}
}

// testConfig is that of a segment with one vlmcd.
func testConfig(name string, threads int) *config.Config {
	return &config.Config{SegmentName: name, VtoolStart: 1003, VtoolEnd: 1022, Roles: []config.Role{
		{Name: "mapperd", Type: config.TypeMapper, PortStart: 1001, PortEnd: 1001},
		{Name: "vlmcd", Type: config.TypeVlmcd, PortStart: 500, PortEnd: 999, NrOps: 64, NrThreads: threads,
			BlockerbPort: 1000, MapperPort: 1001},
	}}
}
