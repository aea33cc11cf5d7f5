package mapperd

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestRandom runs random operations on a few volumes, with crashes at random store operations in
// between, and compares with the model. ARCHIPELAGO_SOAK=1 runs long; -rapid.seed repeats a run.
func TestRandom(t *testing.T) {
	rounds := 40
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		rounds = 4000
	}
	rapid.Check(t, func(rt *rapid.T) {
		// The lengths of a run come from rapid, the number of runs from its flags: a run here is
		// several lives of one store.
		r := &randomRun{rt: rt, t: t, m: newModel()}
		r.live(newWorld(t))
		for range rapid.IntRange(1, rounds).Draw(rt, "steps") {
			r.step()
		}
		r.crash(false)
		r.w.end()
	})
}

// randomRun is one run: a model, and the world that it describes.
type randomRun struct {
	rt     *rapid.T
	t      *testing.T
	m      *model
	w      *world
	moment *moment
	deaths int
}

// live starts the engine of a world, with a crash after a random number of store operations.
func (r *randomRun) live(w *world) {
	w.wrap()
	if err := w.startWrapped(); err != nil {
		r.rt.Fatal(err)
	}
	w.engine.Recover()
	r.w = w
	r.moment = &moment{w: w, at: rapid.IntRange(1, 150).Draw(r.rt, "operations to live")}
	r.moment.watch()
}

func (r *randomRun) step() {
	c := &client{r.w, r.m, r.moment}
	what, err := r.choose(c)
	switch {
	case err == nil:
	case isCut(err):
		r.crash(rapid.Bool().Draw(r.rt, "power"))
	default:
		r.rt.Fatalf("%s: %v", what, err)
	}
}

// crash ends this life, checks what is left, and begins the next one.
func (r *randomRun) crash(power bool) {
	r.moment.end()
	r.moment.w = &world{boot: r.w.boot, node: r.w.node}
	r.w.end()
	r.deaths++
	var w *world
	if !power {
		w = r.moment.killed(r.t)
	} else {
		w = r.moment.powerless(r.t, func(n int) int {
			return rapid.IntRange(0, n-1).Draw(r.rt, "left by the power cut")
		})
		w.boot = [16]byte{byte(r.deaths + 1)}
	}
	w.start()
	w.engine.Recover()
	if err := r.m.check(w, power); err != nil {
		r.rt.Fatal(err)
	}
	if err := w.engine.Close(); err != nil {
		r.rt.Fatal(err)
	}
	r.live(w)
}

// choose does one random operation that must succeed in the present state.
func (r *randomRun) choose(c *client) (string, error) {
	volumes := r.names(func(v *modelVolume) bool { return v.presence == existing && !v.readOnly })
	snaps := r.names(func(v *modelVolume) bool { return v.presence == existing && v.readOnly })
	free := r.free()
	kind := rapid.IntRange(0, 19).Draw(r.rt, "kind")
	pick := func(names []string) string { return rapid.SampledFrom(names).Draw(r.rt, "name") }
	switch {
	case len(volumes) == 0 || kind == 0 && len(free) > 0:
		if len(free) == 0 {
			return "remove", c.remove(pick(snaps))
		}
		return "create", c.create(pick(free))
	case kind == 1 && len(free) > 0:
		return "snapshot", c.snapshot(pick(volumes), pick(free))
	case kind == 2 && len(free) > 0 && len(snaps) > 0:
		return "clone", c.clone(pick(free), pick(snaps))
	case kind == 3:
		return "remove", c.remove(pick(append(volumes, snaps...)))
	case kind == 4:
		return "close", c.close(pick(volumes))
	case kind == 5 || kind == 6:
		return "flush", c.flush(pick(volumes))
	case kind == 7:
		return "resize", c.resize(pick(volumes), rapid.SampledFrom(randomSizes).Draw(r.rt, "size"))
	case kind == 8 && len(snaps) > 0:
		return "rollback", c.rollback(pick(volumes), pick(snaps))
	case kind == 9 && len(free) > 0:
		return "rename", c.rename(pick(append(volumes, snaps...)), pick(free))
	}
	index := rapid.SampledFrom([]int64{0, 1, 2, 1023, 1024, 2047}).Draw(r.rt, "index")
	sub := rapid.IntRange(0, 3).Draw(r.rt, "sub-block")
	name := pick(volumes)
	switch {
	case !r.m.volumes[name].holds(place{index, sub}):
		return "flush", c.flush(name)
	case kind == 10:
		return "discard", c.discard(name, index)
	}
	return fmt.Sprintf("write to %s", name), c.write(name, index, sub)
}

// randomSizes cut within a sub-block, an object and a chunk, and make the chunk table paged.
var randomSizes = []int64{
	testObject + 2*testSub + 512, 2 * testObject, 1024 * testObject, testSize, testSize + testObject, pagedSize,
}

func (r *randomRun) names(pass func(*modelVolume) bool) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(r.m.volumes)) {
		if pass(r.m.volumes[name]) {
			names = append(names, name)
		}
	}
	return names
}

// free returns the names that may be used for something new.
func (r *randomRun) free() (names []string) {
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		if v := r.m.volumes[name]; v == nil || v.presence == absent {
			names = append(names, name)
		}
	}
	return names
}
