package nbdd

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/nbd"
	"archipelago/internal/nbd/client"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random tests")

// variants are the ways to reach an export.
func variants(t *testing.T, run func(t *testing.T, h *harness, e *memExport, opts client.Options)) {
	for _, v := range []struct {
		name          string
		async, simple bool
		slots         int
	}{
		{"inline", false, false, 64}, {"async", true, false, 64},
		{"simple", true, true, 64}, {"one slot", true, false, 1}, {"one slot inline", false, true, 1},
	} {
		t.Run(v.name, func(t *testing.T) {
			e := newExport("disk", 24<<20, v.slots)
			h := start(t, Limits{}, newMemory(e))
			if v.async {
				w := newWorker(h.srv.BatchEnd)
				e.async.Store(w)
				t.Cleanup(func() { _ = h.stop(); w.stop() })
			}
			run(t, h, e, client.Options{Simple: v.simple})
			eventually(t, "IOs given back", func() bool { return e.inUse() == 0 })
		})
	}
}

func TestReadsBackWhatWasWritten(t *testing.T) {
	t.Logf("seed %d", *seed)
	variants(t, func(t *testing.T, h *harness, e *memExport, opts client.Options) {
		c, ctx := h.dial("disk", opts), testContext(t)
		rng := rand.New(rand.NewPCG(*seed, 1))
		model := make([]byte, len(e.data))
		for range 25 {
			n := 1 + rng.IntN(1<<uint(1+rng.IntN(24)))
			off := rng.IntN(len(model) - n + 1)
			part := model[off : off+n]
			var err error
			switch rng.IntN(6) {
			case 0:
				clear(part)
				err = c.WriteZeroes(ctx, nbd.CmdFlagNoHole*uint16(rng.IntN(2)), int64(off), int64(n))
			case 1, 2:
				got := make([]byte, n)
				if err = c.ReadAt(ctx, got, int64(off)); err == nil && !bytes.Equal(got, part) {
					t.Fatalf("seed %d: %d bytes at %d differ", *seed, n, off)
				}
			default:
				fill(rng, part)
				err = c.WriteAt(ctx, part, int64(off))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		e.dataMu.Lock()
		defer e.dataMu.Unlock()
		if !bytes.Equal(model, e.data) {
			t.Fatalf("seed %d: the export differs from the model", *seed)
		}
	})
}

func fill(rng *rand.Rand, p []byte) {
	b := byte(rng.Uint32())
	for i := range p {
		p[i] = b + byte(i>>4) + byte(i)
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	variants(t, func(t *testing.T, h *harness, e *memExport, opts client.Options) {
		c, ctx := h.dial("disk", opts), testContext(t)
		var wg sync.WaitGroup
		for w := range 32 {
			wg.Go(func() {
				want, got := bytes.Repeat([]byte{byte(w + 1)}, 5000), make([]byte, 5000)
				for i := range 20 {
					off := int64(w*20+i) * 5000
					if err := errors.Join(c.WriteAt(ctx, want, off), c.ReadAt(ctx, got, off)); err != nil {
						t.Error(err)
						return
					}
					if !bytes.Equal(want, got) {
						t.Errorf("worker %d reads what others wrote", w)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestFlushAndFUAReachTheBackend(t *testing.T) {
	e := newExport("disk", 1<<20, 8)
	c, ctx := start(t, Limits{}, newMemory(e)).dial("disk", client.Options{}), testContext(t)
	if err := errors.Join(c.WriteAt(ctx, []byte("abc"), 7), c.Flush(ctx)); err != nil {
		t.Fatal(err)
	}
	if e.flushes.Load() != 1 || e.fuas.Load() != 0 {
		t.Errorf("%d flushes, %d FUA", e.flushes.Load(), e.fuas.Load())
	}
	if err := errors.Join(c.WriteDurable(ctx, []byte("abc"), 7), c.WriteZeroes(ctx, nbd.CmdFlagFUA, 0, 4096)); err != nil {
		t.Fatal(err)
	}
	if e.fuas.Load() != 2 {
		t.Errorf("%d of 2 requests with FUA came as such", e.fuas.Load())
	}
}

func TestTrimZeroCacheStatus(t *testing.T) {
	e := newExport("disk", 40<<20, 8)
	c, ctx := start(t, Limits{}, newMemory(e)).dial("disk", client.Options{}), testContext(t)
	e.dataMu.Lock()
	for i := range e.data {
		e.data[i] = 7
	}
	e.dataMu.Unlock()
	if err := errors.Join(c.Trim(ctx, 0, 33<<20), c.Cache(ctx, 0, c.Size()), c.WriteZeroes(ctx, nbd.CmdFlagFastZero, 33<<20, 1)); err != nil {
		t.Fatal(err)
	}
	// A range without data is one IO, whatever its length.
	if e.discards.Load() != 1 || e.zeroes.Load() != 1 || e.data[33<<20-1] != 0 || e.data[33<<20] != 0 || e.data[33<<20+1] != 7 {
		t.Errorf("%d discards, %d zeroings", e.discards.Load(), e.zeroes.Load())
	}
	if err := c.WriteZeroes(ctx, nbd.CmdFlagNoHole, 35<<20, 5<<20); err != nil {
		t.Fatal(err)
	}
	if e.zeroes.Load() != 1 || e.writes.Load() != 2 {
		t.Errorf("zeros without a hole: %d writes, %d zeroings", e.writes.Load(), e.zeroes.Load())
	}
	got, err := c.BlockStatus(ctx, 4096, 8192)
	if err != nil || !slices.Equal(got, []client.Extent{{Length: 8192, State: nbd.StateHole | nbd.StateZero}}) {
		t.Errorf("block status: %v, %v", got, err)
	}
}

func TestErrorsOfTheBackend(t *testing.T) {
	for _, c := range []struct {
		from syscall.Errno
		to   nbd.Errno
	}{
		{syscall.EIO, nbd.EIO}, {syscall.ENOSPC, nbd.ENOSPC}, {syscall.EDQUOT, nbd.ENOSPC},
		{syscall.EROFS, nbd.EPERM}, {syscall.EINVAL, nbd.EINVAL}, {syscall.EUCLEAN, nbd.EIO},
		{syscall.ESTALE, nbd.EIO}, {syscall.EOVERFLOW, nbd.EIO},
	} {
		for _, simple := range []bool{false, true} {
			e := newExport("disk", 8<<20, 8)
			cl, ctx := start(t, Limits{}, newMemory(e)).dial("disk", client.Options{Simple: simple}), testContext(t)
			e.fail.Store(int32(c.from))
			buf := make([]byte, 5<<20)
			for what, err := range map[string]error{
				"read": cl.ReadAt(ctx, buf[:512], 0), "long read": cl.ReadAt(ctx, buf, 5),
				"write": cl.WriteAt(ctx, buf[:512], 0), "long write": cl.WriteAt(ctx, buf, 5),
				"flush": cl.Flush(ctx), "trim": cl.Trim(ctx, 0, 512),
			} {
				if !errors.Is(err, c.to) {
					t.Errorf("%v, simple %v, %s: %v, want %v", c.from, simple, what, err, c.to)
				}
			}
			e.fail.Store(0)
			if err := cl.ReadAt(ctx, buf, 0); err != nil {
				t.Errorf("the connection is of no more use after an error: %v", err)
			}
		}
	}
}

func TestReadOnly(t *testing.T) {
	e := newExport("snap", 1<<20, 8)
	e.info.ReadOnly = true
	c, ctx := start(t, Limits{}, newMemory(e)).dial("snap", client.Options{}), testContext(t)
	if !c.ReadOnly() || c.Export().Flags&nbd.FlagSendTrim != 0 {
		t.Errorf("flags %#x", c.Export().Flags)
	}
	for what, err := range map[string]error{
		"write": c.WriteAt(ctx, make([]byte, 512), 0), "trim": c.Trim(ctx, 0, 512), "zero": c.WriteZeroes(ctx, 0, 0, 512),
	} {
		if !errors.Is(err, nbd.EPERM) {
			t.Errorf("%s of a snapshot: %v", what, err)
		}
	}
	if err := errors.Join(c.Flush(ctx), c.ReadAt(ctx, make([]byte, 512), 0)); err != nil {
		t.Error(err)
	}
	if e.flushes.Load() != 0 {
		t.Error("a snapshot was flushed")
	}
}

func TestUnknownExport(t *testing.T) {
	h := start(t, Limits{}, newMemory(newExport("disk", 512, 1), newExport("other", 512, 1)))
	_, err := client.Dial(testContext(t), "unix", h.path, "nosuch", client.Options{})
	var refused *client.OptionError
	if !errors.As(err, &refused) || refused.Reply != nbd.RepErrUnknown || !strings.Contains(refused.Message, "no such export") {
		t.Errorf("got %v", err)
	}
	names, err := client.List("unix", h.path)
	if err != nil || !slices.Equal(names, []string{"disk", "other"}) {
		t.Errorf("list: %q, %v", names, err)
	}
}
