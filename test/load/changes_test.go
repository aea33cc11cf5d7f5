package load_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/internal/volume"
	"archipelago/peers/mapper"
	"archipelago/test/testnode"
)

const (
	objectSize = 64 << 10
	maxObjects = 24
)

// family is a set of volumes and snapshots on a real node, and what each must hold, byte by byte.
type family struct {
	t     *testing.T
	c     *volume.Client
	rng   *rand.Rand
	names int
	vols  map[string][]byte
	snaps map[string][]byte
	open  map[string]*volume.Volume
}

// TestChangesUnderKills makes writes, discards and every change of a map, one after the other, on a
// real node whose peers are killed all the time, and compares every byte. Nothing may fail: a
// killed peer is a pause.
func TestChangesUnderKills(t *testing.T) {
	seed, rounds := rand.Uint64(), 400
	if s, err := strconv.ParseUint(os.Getenv("ARCHIPELAGO_SEED"), 10, 64); err == nil {
		seed = s
	}
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		rounds *= 100
	}
	t.Logf("ARCHIPELAGO_SEED=%d", seed)
	n := testnode.Start(t)
	f := &family{t: t, c: n.Dial(), rng: rand.New(rand.NewPCG(seed, 0)),
		vols: map[string][]byte{}, snaps: map[string][]byte{}, open: map[string]*volume.Volume{}}
	defer f.c.Close()
	f.create()
	f.create()
	stop, kills := killing(t, n, seed)
	for range rounds {
		f.step()
	}
	stop()
	f.check()
	t.Logf("%d kills, %d volumes and %d snapshots in the end", *kills, len(f.vols), len(f.snaps))
}

// killing kills one peer after the other until stop is called.
func killing(t *testing.T, n *testnode.Node, seed uint64) (stop func(), kills *int) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	rng := rand.New(rand.NewPCG(seed, 1))
	kills = new(int)
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(50+rng.IntN(150)) * time.Millisecond): // at varied moments
			}
			if peers := n.Peers(); len(peers) > 0 && syscall.Kill(peers[rng.IntN(len(peers))].PID, syscall.SIGKILL) == nil {
				*kills++
			}
		}
	}()
	return func() { cancel(); <-done }, kills
}

func (f *family) ctx() context.Context {
	ctx, cancel := context.WithTimeout(f.t.Context(), testnode.Patience)
	f.t.Cleanup(cancel)
	return ctx
}

func (f *family) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *family) name(kind string) string {
	f.names++
	return fmt.Sprint(kind, f.names)
}

func (f *family) create() {
	name, size := f.name("v"), int64(1+f.rng.IntN(maxObjects))*objectSize-int64(f.rng.IntN(2))*9*512
	_, err := f.c.Create(f.ctx(), name, size, objectSize)
	f.must(err)
	f.vols[name] = make([]byte, size)
}

// pick returns one of the names; "" if there is none.
func pick(rng *rand.Rand, m map[string][]byte) string {
	if len(m) == 0 {
		return ""
	}
	var names []string
	for name := range m {
		names = append(names, name)
	}
	// The order of a map isn't the seed's.
	least := rng.IntN(len(names))
	for _, name := range names {
		before := 0
		for _, o := range names {
			if o < name {
				before++
			}
		}
		if before == least {
			return name
		}
	}
	return ""
}

func (f *family) volume(name string) *volume.Volume {
	f.t.Helper()
	v := f.open[name]
	if v == nil {
		var err error
		v, err = f.c.Open(f.ctx(), name)
		f.must(err)
		f.open[name] = v
	}
	return v
}

func (f *family) step() {
	f.t.Helper()
	name := pick(f.rng, f.vols)
	snap := pick(f.rng, f.snaps)
	switch n := f.rng.IntN(100); {
	case n < 60:
		f.io(name)
	case n < 66 && len(f.snaps) < 12:
		f.snapshot(name)
	case n < 70 && len(f.snaps) < 12:
		f.group()
	case n < 74 && snap != "":
		_, err := f.c.Rollback(f.ctx(), name, snap)
		f.must(err)
		f.vols[name] = bytes.Clone(f.snaps[snap])
		delete(f.open, name)
	case n < 78 && snap != "" && len(f.vols) < 6:
		clone := f.name("v")
		_, err := f.c.Clone(f.ctx(), clone, snap, 0)
		f.must(err)
		f.vols[clone] = bytes.Clone(f.snaps[snap])
	case n < 82:
		f.resize(name)
	case n < 86:
		f.rename(name)
	case n < 90:
		_, err := f.volume(name).Flatten(f.ctx(), volume.FlattenOptions{})
		f.must(err)
	case n < 93:
		f.must(f.c.CloseVolume(f.ctx(), name))
	case n < 96 && snap != "":
		f.must(f.c.Remove(f.ctx(), snap))
		delete(f.snaps, snap)
	case n < 97 && len(f.vols) > 2:
		f.must(f.c.Remove(f.ctx(), name))
		delete(f.vols, name)
		delete(f.open, name)
	default:
		f.compare(name, f.vols[name])
	}
}

// io changes a range, often whole objects.
func (f *family) io(name string) {
	f.t.Helper()
	v, want := f.volume(name), f.vols[name]
	off := int64(f.rng.IntN(len(want)/512)) * 512
	n := 512 * (1 + f.rng.Int64N(1+f.rng.Int64N(300)))
	if f.rng.IntN(3) == 0 {
		off -= off % objectSize
		n = objectSize * (1 + f.rng.Int64N(3))
	}
	n = min(n, int64(len(want))-off)
	part := want[off : off+n]
	switch f.rng.IntN(5) {
	case 0:
		clear(part)
		f.must(v.WriteZeroes(f.ctx(), off, n))
	case 1:
		f.must(v.Discard(f.ctx(), off, n))
		f.discarded(v, part, off)
	case 2:
		f.must(v.Flush(f.ctx()))
	default:
		for i := range part {
			part[i] = byte(f.rng.Uint32())
		}
		f.must(v.WriteAt(f.ctx(), part, off))
	}
}

// discarded takes over what a discard has left: zeros, or what was there in parts of sub-blocks,
// where zeros would cost a copy.
func (f *family) discarded(v *volume.Volume, part []byte, off int64) {
	f.t.Helper()
	got := make([]byte, len(part))
	f.must(v.ReadAt(f.ctx(), got, off))
	sub := mapfmt.SubBlockSize(objectSize)
	first, last := (off+sub-1)/sub*sub, (off+int64(len(part)))/sub*sub
	for i, b := range got {
		at := off + int64(i)
		if b != 0 && (b != part[i] || at >= first && at < last) {
			f.t.Fatalf("byte %d is %d after a discard of %d at %d; it was %d", at, b, len(part), off, part[i])
		}
	}
	copy(part, got)
}

func (f *family) snapshot(name string) {
	s := f.name("s")
	_, err := f.c.Snapshot(f.ctx(), name, s)
	f.must(err)
	f.snaps[s] = bytes.Clone(f.vols[name])
}

// group makes snapshots of all volumes at once. Kills may end its freezes over and over: then none
// of them is there.
func (f *family) group() {
	f.t.Helper()
	var members []volume.Member
	for name := range f.vols {
		members = append(members, volume.Member{Volume: name, Snapshot: f.name("s")})
	}
	_, err := f.c.SnapshotGroup(f.ctx(), members)
	for _, m := range members {
		if err == nil {
			f.snaps[m.Snapshot] = bytes.Clone(f.vols[m.Volume])
		} else if _, err := f.c.Info(f.ctx(), m.Snapshot); !errors.Is(err, mapper.ErrNotFound) {
			f.t.Fatalf("a part of a group that failed: %s: %v", m.Snapshot, err)
		}
	}
	if !errors.Is(err, mapper.ErrStale) {
		f.must(err)
	}
}

func (f *family) resize(name string) {
	f.t.Helper()
	size := int64(1+f.rng.IntN(maxObjects*objectSize/mapfmt.SectorSize)) * mapfmt.SectorSize
	_, err := f.c.Resize(f.ctx(), name, size)
	f.must(err)
	old := f.vols[name]
	f.vols[name] = make([]byte, size)
	copy(f.vols[name], old)
	delete(f.open, name)
}

func (f *family) rename(name string) {
	f.t.Helper()
	other := f.name("v")
	_, err := f.c.Rename(f.ctx(), name, other)
	f.must(err)
	f.vols[other] = f.vols[name]
	delete(f.vols, name)
	delete(f.open, name)
}

func (f *family) compare(name string, want []byte) {
	f.t.Helper()
	v, err := f.c.Open(f.ctx(), name)
	f.must(err)
	if v.Info().Size != int64(len(want)) {
		f.t.Fatalf("%s has %d bytes, want %d", name, v.Info().Size, len(want))
	}
	got := make([]byte, len(want))
	f.must(v.ReadAt(f.ctx(), got, 0))
	for i := range got {
		if got[i] != want[i] {
			f.t.Fatalf("%s: byte %d (object %d) is %d, want %d", name, i, i/objectSize, got[i], want[i])
		}
	}
}

func (f *family) check() {
	f.t.Helper()
	for name, want := range f.vols {
		f.compare(name, want)
	}
	for name, want := range f.snaps {
		f.compare(name, want)
	}
}
