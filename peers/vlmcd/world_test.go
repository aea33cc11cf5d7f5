package vlmcd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/mapper"
)

// world is an engine between a store and a mapper, in which nothing happens by itself: every step
// of every operation is an event that waits, and one of them at a time, chosen from the seed, is
// let happen. So operations overlap, end and are heard of in any order, and the same seed always
// gives the same run.
type world struct {
	t      testing.TB
	rng    *rand.Rand
	events []event
	gen    int // of the engine: what belongs to an older one is not heard of
	now    int // counts events

	store  *memstore.Store
	maps   *fakeMapper
	engine *Engine
	cfg    Config

	// again is the chance, in percent, of EAGAIN where it is allowed.
	again int
	// fail, if set, may give an operation of the store an error instead of letting it run.
	fail func(op *blocker.Op) error
	// hold, if set, keeps events from happening.
	hold func(what string) bool
	// pauses are the times that engines wanted to wait.
	pauses []time.Duration
	// whole lets operations of the store happen in one piece.
	whole bool
}

// event is something that waits to happen.
type event struct {
	what string
	gen  int
	run  func()
	// lose is what happens instead when the engine that it belongs to is killed; nil: nothing.
	lose func()
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), store: memstore.New()}
	w.maps = newMaps(w)
	w.start()
	return w
}

// start makes an engine.
func (w *world) start() {
	cfg := w.cfg
	cfg.Mapper, cfg.Blocks = mapperPort{w, w.gen}, storePort{w, w.gen}
	gen := w.gen
	cfg.After = func(d time.Duration, f func()) {
		w.pauses = append(w.pauses, d)
		w.later(gen, "timer", f, nil)
	}
	w.engine = New(cfg)
}

func (w *world) later(gen int, what string, run, lose func()) {
	w.events = append(w.events, event{what, gen, run, lose})
}

// step lets one event happen; false if none may.
func (w *world) step() bool {
	var free []int
	for i, e := range w.events {
		if w.hold == nil || !w.hold(e.what) {
			free = append(free, i)
		}
	}
	if len(free) == 0 {
		return false
	}
	i := free[w.rng.IntN(len(free))]
	e := w.events[i]
	w.events[i] = w.events[len(w.events)-1]
	w.events = w.events[:len(w.events)-1]
	w.now++
	e.run()
	return true
}

// drain lets everything happen that may.
func (w *world) drain() {
	for w.step() {
	}
}

// kill ends the engine. What it had passed on ends, or never takes place, before another one
// starts; nobody hears of it.
func (w *world) kill() {
	w.gen++
	for len(w.events) > 0 {
		i := w.rng.IntN(len(w.events))
		e := w.events[i]
		w.events = append(w.events[:i], w.events[i+1:]...)
		if e.lose != nil && w.rng.IntN(2) == 0 {
			e.lose()
		} else if e.lose != nil {
			e.run()
		}
	}
	w.now++
	w.start()
}

// storePort is the store as an engine sees it.
type storePort struct {
	w   *world
	gen int
}

func (s storePort) Close() error { return nil }

// Submit queues the parts of an operation, which take place one by one: a write isn't atomic.
func (s storePort) Submit(op *blocker.Op) {
	w := s.w
	parts := w.split(op)
	left := len(parts)
	for i := range parts {
		part := &parts[i]
		w.later(s.gen, describe(op), func() {
			if err := w.failed(op); err != nil {
				part.Err = err
			} else {
				_ = blocker.Do(w.store, part)
			}
			if left--; left == 0 && s.gen == w.gen {
				w.deliver(s.gen, op, parts)
			}
		}, func() { left = -1 })
	}
}

func (w *world) failed(op *blocker.Op) error {
	if w.fail == nil {
		return nil
	}
	return w.fail(op)
}

// deliver lets the engine hear of the end of op, whose parts have ended.
func (w *world) deliver(gen int, op *blocker.Op, parts []blocker.Op) {
	w.later(gen, "end of "+describe(op), func() {
		if gen != w.gen {
			return
		}
		op.Err = nil
		for i := range parts {
			if op.Err == nil {
				op.Err = parts[i].Err
			}
			if op.Kind == blocker.Read {
				copy(op.Data[parts[i].Offset-op.Offset:], parts[i].Data)
			}
		}
		op.Done(op)
	}, nil)
}

// split makes one to three operations of op, with memory of their own: a killed engine's buffers
// are gone.
func (w *world) split(op *blocker.Op) []blocker.Op {
	if op.Kind == blocker.Fill {
		return w.splitFill(op)
	}
	n := op.Length
	if op.Kind == blocker.Read || op.Kind == blocker.Write {
		n = int64(len(op.Data))
	}
	cuts := []int64{0, n}
	for range w.rng.IntN(3) {
		if w.whole {
			break
		}
		if at := w.rng.Int64N(n/mapfmt.SectorSize+1) * mapfmt.SectorSize; at > cuts[len(cuts)-2] && at < n {
			cuts = append(cuts[:len(cuts)-1], at, n)
		}
	}
	var parts []blocker.Op
	for i := range len(cuts) - 1 {
		from, to := cuts[i], cuts[i+1]
		part := *op
		part.Name, part.Source = strings.Clone(op.Name), strings.Clone(op.Source)
		part.Offset += from
		part.SourceOffset += from
		part.Length = to - from
		if op.Data != nil {
			part.Data = bytes.Clone(op.Data[from:to])
		}
		parts = append(parts, part)
	}
	return parts
}

// splitFill is split for what is a write and one or two copies beside it.
func (w *world) splitFill(op *blocker.Op) []blocker.Op {
	write := *op
	write.Kind = blocker.Write
	parts := w.split(&write)
	end := op.Offset + int64(len(op.Data))
	for _, r := range [][2]int64{{op.SourceOffset, op.Offset}, {end, op.SourceOffset + op.Length}} {
		if r[0] < r[1] {
			around := *op
			around.Kind, around.Data = blocker.Copy, nil
			around.Offset, around.SourceOffset, around.Length = r[0], r[0], r[1]-r[0]
			parts = append(parts, w.split(&around)...)
		}
	}
	return parts
}

func describe(op *blocker.Op) string {
	return fmt.Sprintf("blocker %d %s %d for %s", op.Kind, op.Name, op.Offset, mapfmt.FormatUUID(op.Volume))
}

// mapperPort is the mapper as an engine sees it.
type mapperPort struct {
	w   *world
	gen int
}

// Submit queues the operation; it takes place in one step, and is heard of in another.
func (m mapperPort) Submit(op *mapper.Op) {
	w := m.w
	mine := *op
	if op.Entries != nil {
		mine.Entries = make([]mapfmt.Entry, len(op.Entries))
	}
	what := fmt.Sprintf("mapper %d %d", op.Kind, op.Index)
	w.later(m.gen, what, func() {
		w.maps.do(&mine)
		if m.gen != w.gen {
			return
		}
		w.later(m.gen, "end of "+what, func() {
			if m.gen != w.gen {
				return
			}
			copy(op.Entries, mine.Entries)
			op.Entry, op.Info, op.Err = mine.Entry, mine.Info, mine.Err
			op.Done(op)
		}, nil)
	}, func() {})
}
