package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

const (
	idleAfter = time.Millisecond
	// idleWait is longer than an engine takes to notice that a map isn't used: it looks each second,
	// and a chunk stays once more.
	idleWait = 4 * time.Second
)

// mapMemory tells what the map of an open volume takes, and what is left of it when it isn't used.
func mapMemory(ctx context.Context, o *mapsOptions) (text string, err error) {
	s, err := newMapStore(o.dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	t := newTable("entries", "open", "idle")
	for _, kind := range []struct {
		name  string
		entry func(mapper.Info, int64) mapfmt.Entry
	}{
		{"one object of its own each", ownEntry},
		{"three levels and a hashed object each", largestEntry},
	} {
		v, err := s.full(fmt.Sprintf("v%d", len(t.rows)), o.size, kind.entry)
		if err != nil {
			return "", err
		}
		open, idle, err := memoryOf(ctx, s, v, o.idle)
		if err != nil {
			return "", err
		}
		t.add(kind.name, mebis(open), mebis(idle))
	}
	return "### Memory of a map\n\n" + t.String() + fmt.Sprintf("\nHeap in use after a collection, of an open volume of "+
		"%d GiB whose map is full and was read whole, and\nof the same when its map hasn't been used for a while. "+
		"Goals: 48 MiB and 1 MiB.\n", o.size>>30), nil
}

// memoryOf compares with an engine that has nothing open, over stores that have read the same: only
// the map counts.
func memoryOf(ctx context.Context, s *mapStore, v mapper.Info, wait time.Duration) (open, idle int64, err error) {
	if err := readMap(s, v); err != nil {
		return 0, 0, err
	}
	if open, err = heapWith(s, v, time.Hour, func() error { return nil }); err != nil {
		return 0, 0, err
	}
	idle, err = heapWith(s, v, idleAfter, func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			return nil
		}
	})
	return open, idle, err
}

// heapWith returns what the volume adds to the heap of a new engine: read, then waited for.
func heapWith(s *mapStore, v mapper.Info, idleAfter time.Duration, wait func() error) (int64, error) {
	if err := s.start(idleAfter); err != nil {
		return 0, err
	}
	before := heap()
	if err := errors.Join(readMap(s, v), wait()); err != nil {
		return 0, err
	}
	return max(heap()-before, 0), nil
}

func readMap(s *mapStore, v mapper.Info) error {
	op := mapper.Op{Kind: mapper.MapRead, Volume: v.UUID, Name: v.Name, Entries: make([]mapfmt.Entry, 1)}
	for ; op.Index*v.ObjectSize < v.Size; op.Index += mapfmt.ChunkEntries {
		if err := mapper.Do(s.Engine, &op); err != nil {
			return err
		}
	}
	return nil
}

// heap is what is in use; the second collection takes what pools keep over the first.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
