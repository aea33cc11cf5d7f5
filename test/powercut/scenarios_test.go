package powercut

import (
	"fmt"
	"testing"
	"testing/cryptotest"

	"archipelago/peers/vlmcd"
)

// scenario is what a client does.
type scenario struct {
	name string
	run  func(c *client) error
}

func chain(all ...func() error) error {
	for i, f := range all {
		if err := f(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// verbs make steps of chain: each builds its request when it is its turn.
type verbs struct{ *client }

func (c verbs) made(name, origin string) func() error {
	return func() error { return c.create(name, origin, sectors) }
}

func (c verbs) wrote(name string, first, count int, flags vlmcd.Flags) func() error {
	return func() error { return c.do(c.write(name, first, count, flags)) }
}

func (c verbs) flushed(name string) func() error {
	return func() error { return c.do(c.flush(name)) }
}

func (c verbs) snapped(name, snap string) func() error {
	return func() error { return c.do(c.snapshot(name, snap)) }
}

func (c verbs) removed(name string) func() error {
	return func() error { return c.do(c.remove(name)) }
}

func (c verbs) closed(name string) func() error {
	return func() error { return c.do(c.close(name)) }
}

func (c verbs) cleared(name string, first, count int, flags vlmcd.Flags) func() error {
	return func() error { return c.do(c.clear(vlmcd.Discard, name, first, count, flags)) }
}

func (c verbs) renamed(name, to string) func() error {
	return func() error { return c.do(c.rename(name, to)) }
}

func (c verbs) rolledBack(name, snap string) func() error {
	return func() error { return c.do(c.rollback(name, snap)) }
}

func (c verbs) sized(name string, sectors int) func() error {
	return func() error { return c.do(c.resize(name, sectors)) }
}

func (c verbs) grouped(names ...string) func() error {
	return func() error { return c.group(names...) }
}

// beside runs requests at once, and then looks at what is undecided.
func (c verbs) beside(make func() []request) func() error {
	return func() error {
		if err := c.do(make()...); err != nil {
			return err
		}
		for _, name := range c.m.names() {
			if v := c.m.volumes[name]; v.readOnly {
				if err := c.observe(name); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

const perObject = objectSize / sector

var scenarios = []scenario{
	{"create", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.made("w", ""), v.wrote("w", 0, 1, 0))
	}},
	{"write", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""),
			v.wrote("v", 0, 3, 0), v.wrote("v", 10, 20, 0), v.flushed("v"),
			v.wrote("v", 0, 2, 0), v.wrote("v", perObject-4, 8, 0), v.flushed("v"),
			v.wrote("v", 12, 1, vlmcd.FlagFUA), v.wrote("v", 2*perObject+3, 5, vlmcd.FlagFUA),
			v.wrote("v", 1, 1, 0), v.closed("v"), v.wrote("v", 2, 1, 0), v.flushed("v"))
	}},
	{"zeroes", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.wrote("v", 0, 40, 0), v.flushed("v"),
			func() error { return c.do(c.clear(vlmcd.WriteZeroes, "v", 5, 20, 0)) },
			func() error { return c.do(c.clear(vlmcd.WriteZeroes, "v", 30, 2, vlmcd.FlagFUA)) },
			v.snapped("v", "s"),
			func() error { return c.do(c.clear(vlmcd.WriteZeroes, "v", 0, 16, 0)) },
			v.flushed("v"), v.wrote("v", 3, 1, 0))
	}},
	{"clones of three levels", func(c *client) error {
		v := verbs{c}
		return chain(v.made("a", ""), v.wrote("a", 0, 32, 0), v.wrote("a", perObject, 8, 0), v.snapped("a", "sa"),
			v.made("b", "sa"), v.wrote("b", 4, 3, 0), v.flushed("b"), v.snapped("b", "sb"),
			v.made("c", "sb"), v.wrote("c", 9, 2, 0), v.wrote("c", perObject+1, 1, vlmcd.FlagFUA), v.snapped("c", "sc"),
			v.made("d", "sc"), v.wrote("d", 17, 3, 0), v.wrote("d", 0, 1, 0), v.flushed("d"),
			v.wrote("a", 1, 1, 0), v.flushed("a"))
	}},
	{"snapshots", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.wrote("v", 0, 16, 0), v.snapped("v", "s1"), v.wrote("v", 2, 4, 0),
			v.wrote("v", perObject, 1, 0), v.flushed("v"), v.wrote("v", 3, 1, 0), v.snapped("v", "s2"),
			v.wrote("v", 3, 1, 0), v.flushed("v"), v.snapped("v", "s3"), v.snapped("v", "s4"),
			v.wrote("v", 3, 1, vlmcd.FlagFUA))
	}},
	{"writes beside flush and snapshot", func(c *client) error {
		v := verbs{c}
		busy := func(snap string) func() []request {
			return func() []request {
				return []request{
					c.write("v", 0, 6, 0), c.write("v", 8, 3, 0), c.flush("v"), c.snapshot("v", snap),
					c.write("v", 13, 9, vlmcd.FlagFUA), c.write("v", perObject, 4, 0), c.flush("v"),
				}
			}
		}
		return chain(v.made("v", ""), v.wrote("v", 0, 32, 0), v.beside(busy("s1")), v.beside(busy("s2")), v.flushed("v"))
	}},
	{"first writes beside a flush", func(c *client) error {
		v := verbs{c}
		var all []func() error
		for i := range 2 {
			name := fmt.Sprint("v", i)
			all = append(all, v.made(name, ""), v.beside(func() []request {
				return []request{c.flush(name), c.write(name, 0, 1, 0), c.flush(name), c.write(name, perObject, 1, 0)}
			}), v.removed(name))
		}
		return chain(all...)
	}},
	{"remove", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.made("w", ""), v.wrote("w", 0, 9, 0), v.flushed("w"), v.removed("w"),
			v.wrote("v", 0, 16, 0), v.snapped("v", "s"), v.made("c", "s"), v.wrote("c", 3, 2, 0),
			v.removed("v"), v.flushed("c"), v.removed("s"), v.wrote("c", 0, 1, 0), v.flushed("c"), v.removed("c"))
	}},
	{"discard", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.wrote("v", 0, perObject+40, 0), v.flushed("v"),
			v.cleared("v", 8, 16, 0), v.cleared("v", 3, 9, 0), v.cleared("v", perObject, perObject, vlmcd.FlagFUA),
			v.wrote("v", perObject+3, 2, 0), v.flushed("v"), v.snapped("v", "s"),
			v.cleared("v", 0, perObject, 0), v.flushed("v"), v.wrote("v", 9, 1, 0),
			v.cleared("v", perObject, perObject, 0), v.cleared("v", perObject+5, 20, 0), v.flushed("v"))
	}},
	{"rename", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.wrote("v", 0, 9, 0), v.flushed("v"), v.wrote("v", 3, 1, 0),
			v.renamed("v", "w"), v.wrote("w", 1, 1, 0), v.snapped("w", "s"), v.renamed("s", "a"),
			v.made("v", "a"), v.wrote("v", 5, 1, 0), v.renamed("w", "b"), v.renamed("v", "w"), v.flushed("w"),
			v.removed("b"))
	}},
	{"rollback", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.wrote("v", 0, 20, 0), v.snapped("v", "s"), v.wrote("v", 3, 9, 0),
			v.flushed("v"), v.wrote("v", perObject, 1, 0), v.rolledBack("v", "s"), v.wrote("v", 4, 1, 0),
			v.flushed("v"), v.snapped("v", "s2"), v.wrote("v", 4, 1, 0), v.rolledBack("v", "s"), v.rolledBack("v", "s2"),
			v.wrote("v", 6, 1, vlmcd.FlagFUA))
	}},
	{"grow and shrink", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.wrote("v", 0, sectors, 0), v.flushed("v"),
			v.sized("v", perObject+13), v.wrote("v", perObject, 2, 0), v.sized("v", 3*perObject), v.flushed("v"),
			v.wrote("v", 2*perObject-5, 20, 0), v.snapped("v", "s"), v.sized("v", 2*perObject+3),
			v.sized("v", 2*perObject), v.flushed("v"), v.sized("v", 3*perObject+1), v.wrote("v", 2*perObject, 9, 0),
			v.rolledBack("v", "s"), v.sized("v", 10), v.sized("v", 2*perObject))
	}},
	{"grow and shrink of a clone", func(c *client) error {
		v := verbs{c}
		return chain(v.made("a", ""), v.wrote("a", 0, sectors, 0), v.snapped("a", "s"), v.made("v", "s"),
			v.sized("v", perObject+13), v.sized("v", sectors+9), v.wrote("v", perObject+20, 1, 0), v.flushed("v"),
			v.sized("v", perObject+2), v.sized("v", sectors))
	}},
	{"groups", func(c *client) error {
		v := verbs{c}
		return chain(v.made("v", ""), v.made("w", ""), v.wrote("v", 0, 9, 0), v.wrote("w", 3, 9, 0),
			v.grouped("v", "sv", "w", "sw"), v.wrote("v", 1, 1, 0), v.wrote("w", 5, 1, 0), v.flushed("v"),
			v.grouped("w", "tw", "v", "tv"), v.wrote("w", 5, 1, 0))
	}},
	{"flatten", func(c *client) error {
		v := verbs{c}
		return chain(v.made("a", ""), v.wrote("a", 0, perObject+9, 0), v.snapped("a", "s"), v.made("v", "s"),
			v.wrote("v", 9, 2, 0), func() error { return c.do(c.flatten("v")) }, v.removed("a"), v.removed("s"),
			v.wrote("v", 1, 1, 0), v.flushed("v"), v.wrote("v", perObject, 1, 0))
	}},
	{"wide appends", func(c *client) error {
		v := verbs{c}
		each := func(at int) func() error {
			return func() error {
				var all []request
				for i := range 8 {
					all = append(all, c.write("v", i*perObject+at, 1, 0))
				}
				return c.do(all...)
			}
		}
		return chain(func() error { return c.create("v", "", 8*perObject) }, each(0), v.snapped("v", "s"),
			v.wrote("v", 1, 1, 0), v.flushed("v"), each(9), v.flushed("v"), each(17), v.flushed("v"))
	}},
	{"torn append", func(c *client) error {
		v := verbs{c}
		return chain(func() error { return c.create("v", "", 8*perObject) }, v.wrote("v", 0, 1, 0), v.flushed("v"),
			func() error {
				var all []request
				for i := range 7 {
					all = append(all, c.write("v", (i+1)*perObject, 1, 0))
				}
				return c.do(all...)
			}, v.flushed("v"))
	}},
	{"long append", func(c *client) error {
		v := verbs{c}
		all := []func() error{v.made("v", ""), v.wrote("v", 0, 8, 0), v.flushed("v"), v.snapped("v", "s")}
		for i := range 6 {
			all = append(all, v.wrote("v", 16*i+3, 2, 0), v.wrote("v", perObject+16*i, 2, 0), v.flushed("v"))
		}
		return chain(all...)
	}},
}

func blank() state { return state{disks: newDisks(), model: newModel()} }

// explore runs a scenario, and crashes it everywhere.
func (l *lab) explore(t *testing.T, from state, run func(*client) error, cuts int, seed uint64) ([]state, error) {
	cryptotest.SetGlobalRandom(t, seed) // names of objects: what a seed picks goes by their order
	all, err := l.moments(from, run, seed)
	if err != nil {
		return nil, fmt.Errorf("seed %d: %w", seed, err)
	}
	for i, s := range all {
		if err := l.crash(s, cuts, seed+uint64(i)); err != nil {
			return nil, fmt.Errorf("seed %d, moment %d of %d: %w", seed, i, len(all), err)
		}
	}
	return all, nil
}

func TestCorpus(t *testing.T) {
	total, start, cuts := 0, cpu(t), 40
	if raceDetector {
		cuts = 4
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			l := newLab(t, fault{})
			all, err := l.explore(t, blank(), s.run, cuts, 1)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d moments, %d states", len(all), l.states)
			total += l.states
		})
	}
	t.Logf("%d states in %v of processor time", total, cpu(t)-start)
}
