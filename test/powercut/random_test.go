package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"archipelago/peers/vlmcd"
)

// Random programs, until so many states were tried.
const (
	wantStates = 88_000 // with those of the corpus more than 100,000
	raceStates = 3_000
	soakStates = 5_000_000
	firstSeed  = 1000
)

// actor makes random requests.
type actor struct {
	verbs
	rng  *rand.Rand
	made int // names given out
}

// program returns a scenario of n random steps. It goes on from whatever is there.
func program(seed uint64, n int) func(c *client) error {
	return func(c *client) error {
		a := &actor{verbs: verbs{c}, rng: rand.New(rand.NewPCG(seed, 2)), made: int(seed) * 1000}
		for i := range n {
			if err := a.step(); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
		return nil
	}
}

// pick returns a volume, or a snapshot, at random; "" if there is none.
func (a *actor) pick(readOnly bool) string {
	var names []string
	for _, name := range a.m.names() {
		if a.m.volumes[name].readOnly == readOnly {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return names[a.rng.IntN(len(names))]
}

func (a *actor) name() string {
	a.made++
	return fmt.Sprint("n", a.made)
}

// Volumes at a time. A state costs what it takes to read all.
const maxVolumes = 3

func (a *actor) step() error {
	v, s := a.pick(false), a.pick(true)
	few := len(a.m.volumes) < maxVolumes
	x := a.rng.IntN(100)
	switch {
	case v == "":
		return a.create(a.name(), "", a.size())
	case x < 45:
		return a.beside(func() []request { return a.batch(v, few) })()
	case x < 55:
		return a.flushed(v)()
	case x < 62 && few:
		return a.snapped(v, a.name())()
	case x < 69 && few && s != "":
		return a.made0(a.name(), s)
	case x < 72 && few:
		return a.create(a.name(), "", a.size())
	case x < 78:
		return a.renamed([]string{v, s}[a.rng.IntN(2)*min(len(s), 1)], a.name())()
	case x < 83 && s != "":
		return a.rolledBack(v, s)()
	case x < 90:
		return a.sized(v, a.size())()
	case x < 92 && few:
		return a.together(v)
	case x < 94:
		return a.do(a.flatten(v))
	case x < 96:
		return a.closed(v)()
	case !few:
		return a.removed([]string{v, s}[a.rng.IntN(2)*min(len(s), 1)])()
	}
	return a.flushed(v)()
}

func (a *actor) made0(name, origin string) error { return a.create(name, origin, 0) }

// size is a number of sectors, often at an edge.
func (a *actor) size() int {
	n := (1 + a.rng.IntN(2)) * perObject
	switch a.rng.IntN(4) {
	case 0:
		return n
	case 1:
		return n + 8*a.rng.IntN(16)
	}
	return n + a.rng.IntN(perObject)
}

// together makes snapshots of two volumes, or of one.
func (a *actor) together(v string) error {
	names := []string{v, a.name()}
	if w := a.pick(false); w != v {
		names = append(names, w, a.name())
	}
	return a.group(names...)
}

// batch makes requests that don't touch each other's sectors, and perhaps a flush and a snapshot.
func (a *actor) batch(v string, few bool) (all []request) {
	size := len(a.m.volumes[v].cells)
	for at := a.rng.IntN(size); at < size && len(all) < 4; {
		n := min(1+a.rng.IntN(1<<a.rng.IntN(7)), size-at)
		all = append(all, a.change(v, at, n))
		at += n + a.rng.IntN(60)
	}
	if a.rng.IntN(3) == 0 {
		all = append(all, a.flush(v))
	}
	if few && a.rng.IntN(6) == 0 {
		all = append(all, a.snapshot(v, a.name()))
	}
	a.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (a *actor) change(v string, at, n int) request {
	flags := vlmcd.Flags(0)
	if a.rng.IntN(8) == 0 {
		flags = vlmcd.FlagFUA
	}
	switch a.rng.IntN(10) {
	case 0:
		return a.clear(vlmcd.WriteZeroes, v, at, n, flags)
	case 1:
		return a.clear(vlmcd.Discard, v, at, n, flags)
	case 2:
		// An object at a time, where there is one.
		if first := (at + perObject - 1) / perObject * perObject; first+perObject <= at+n {
			return a.clear(vlmcd.Discard, v, first, perObject, flags)
		}
	}
	return a.write(v, at, n, flags)
}

// generations explores a random program, takes one of the states that a power cut or a kill has
// left, and explores another program on it.
func (l *lab) generations(t *testing.T, seed uint64, cuts int) error {
	rng := rand.New(rand.NewPCG(seed, 3))
	from := blank()
	for generation := range 3 {
		// Another seed for each: no name of an object is given out twice.
		next := seed + uint64(generation)<<32
		all, err := l.explore(t, from, program(next, 14), cuts, next)
		if err != nil {
			return fmt.Errorf("generation %d: %w", generation, err)
		}
		if from, err = l.leftBy(all[rng.IntN(len(all))], rng); err != nil {
			return fmt.Errorf("generation %d: %w", generation, err)
		}
	}
	return nil
}

// leftBy makes a state of what a power cut has left.
func (l *lab) leftBy(s state, rng *rand.Rand) (left state, err error) {
	d := s.disks.powerCut(chooser(rng.Uint64(), rng.IntN(9)))
	dir, err := l.empty("left")
	if err != nil {
		return left, err
	}
	n, err := startNode(d, dir, 2, l.fault, nil, nil)
	if err != nil {
		return left, err
	}
	c := &client{n: n, m: s.model.view()}
	if err = c.checkAll(true, true); err == nil {
		err = c.finishControl()
	}
	for _, name := range c.m.names() {
		if err == nil {
			err = c.observe(name)
		}
	}
	c.m.gone = map[string]bool{}
	if err != nil {
		return left, err
	}
	return state{disks: d, model: c.m}, n.end()
}

// TestRandom runs random programs until so many states were tried, the last run to its end.
func TestRandom(t *testing.T) {
	want, first, last := wantStates, uint64(firstSeed), ^uint64(0)
	switch {
	case os.Getenv("ARCHIPELAGO_SOAK") != "":
		want = soakStates
	case raceDetector:
		want = raceStates
	}
	if s := os.Getenv("ARCHIPELAGO_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, last = seed, seed
	}
	l := newLab(t, fault{})
	runs, start := 0, cpu(t)
	for seed := first; l.states < want && seed <= last; seed++ {
		runs++
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			if err := l.generations(t, seed, 24); err != nil {
				t.Fatalf("ARCHIPELAGO_SEED=%d: %v", seed, err)
			}
		}) {
			break
		}
	}
	t.Logf("%d states of %d random runs in %v of processor time", l.states, runs, cpu(t)-start)
}
