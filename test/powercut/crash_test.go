package powercut

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"archipelago/internal/audit"
	"archipelago/peers/mapper"
	"archipelago/peers/vlmcd"
)

// state is what stores hold, and what is known of it.
type state struct {
	disks disks
	model *model
	logs  map[string][]byte // files of the directory of pending logs
}

// lab is where scenarios run.
type lab struct {
	t      testing.TB
	dir    string // for pending logs
	fault  fault
	states int
	// goOnAlways lets work go on from every state, instead of from some.
	goOnAlways bool
	clean      map[string]bool // directories that nothing was written to since they were emptied
}

func newLab(t testing.TB, f fault) *lab {
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = os.TempDir()
	}
	dir, err := os.MkdirTemp(base, "powercut")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	l := &lab{t: t, dir: dir, fault: f, clean: map[string]bool{}}
	t.Cleanup(func() {
		if f.make == nil {
			explored += l.states
		}
	})
	return l
}

// empty returns the name of an empty directory.
func (l *lab) empty(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, os.Mkdir(dir, 0o700)
	}
	for _, f := range files {
		err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
	}
	return dir, err
}

func readFiles(dir string) (map[string][]byte, error) {
	list, err := os.ReadDir(dir)
	files := map[string][]byte{}
	for _, f := range list {
		data, readErr := os.ReadFile(filepath.Join(dir, f.Name()))
		err = errors.Join(err, readErr)
		files[f.Name()] = data
	}
	return files, err
}

// moments runs a scenario from a state on and returns what there was before each change of a store,
// and at the end.
func (l *lab) moments(from state, run func(*client) error, seed uint64) (all []state, err error) {
	dir, err := l.empty("run")
	if err != nil {
		return nil, err
	}
	d, m := from.disks.clone(), from.model.clone()
	err = l.watched(d, m, dir, run, seed, func() {
		logs, readErr := readFiles(dir)
		if readErr != nil {
			l.t.Error(readErr)
		}
		all = append(all, state{d.clone(), m.clone(), logs})
	})
	return all, err
}

// watched runs a scenario and calls take before each change of a store, and at the end.
func (l *lab) watched(d disks, m *model, dir string, run func(*client) error, seed uint64, take func()) error {
	n, err := startNode(d, dir, 1, l.fault, rand.New(rand.NewPCG(seed, 5)), take)
	if err != nil {
		return err
	}
	err = run(&client{n: n, m: m})
	take()
	n.before = nil
	return errors.Join(err, n.end())
}

// crash checks what is left of a state by a kill, and by up to cuts power cuts.
func (l *lab) crash(s state, cuts int, seed uint64) error {
	if err := l.killed(s); err != nil {
		return fmt.Errorf("after a kill: %w", err)
	}
	i := 0
	return outcomes(s.disks, cuts, seed, func(d disks, how string) error {
		i++
		if err := l.powerless(d, s.model, seed+uint64(i)); err != nil {
			return fmt.Errorf("after power cut %s: %w", how, err)
		}
		return nil
	})
}

func (l *lab) killed(s state) error {
	dir, err := l.empty("killed")
	if err != nil {
		return err
	}
	for name, data := range s.logs {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return l.reopen(s.disks.clone(), s.model, dir, 1, false, 0)
}

func (l *lab) powerless(d disks, m *model, seed uint64) error {
	const name = "powerless"
	dir := filepath.Join(l.dir, name)
	if !l.clean[name] {
		if _, err := l.empty(name); err != nil {
			return err
		}
	}
	// Only who writes leaves logs there.
	l.clean[name] = !l.goesOn() && len(m.control) == 0
	return l.reopen(d, m, dir, 2, true, seed)
}

// goesOn says whether work goes on from the next state.
func (l *lab) goesOn() bool { return l.goOnAlways || (l.states+1)%goOnEvery == 0 }

// goOnEvery is how many states there are to each one from which work goes on. Tuning.
const goOnEvery = 24

// reopen opens what a crash has left, and checks everything.
func (l *lab) reopen(d disks, m *model, dir string, boot byte, power bool, seed uint64) (err error) {
	goOn := l.goesOn() || !power
	l.states++
	if err := l.audit(d, false); err != nil {
		return err
	}
	n, err := startNode(d, dir, boot, l.fault, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.end()) }()
	if !power {
		n.mapper.Recover()
	}
	c := &client{n: n, m: m.view()}
	if err := c.checkAll(power, goOn || len(m.control) > 0); err != nil {
		return err
	}
	if err := c.finishControl(); err != nil || !goOn {
		return err
	}
	return l.goOn(c, boot, seed)
}

// audit checks a store. Only orphans and half-done steps may be there; none of these once
// everything was opened, but torn tails of what wasn't written since.
func (l *lab) audit(d disks, finished bool) (err error) {
	_, auditErr := audit.Check(context.Background(), audit.Options{
		Maps: d.maps, Blocks: d.blocks, References: 1 << 20,
		Report: func(f audit.Finding) {
			halfDone := f.Severity == audit.HalfDone && !strings.Contains(f.Cause, "torn tail")
			if f.Severity <= audit.Corrupt || finished && halfDone {
				err = errors.Join(err, fmt.Errorf("check: %v", f))
			}
		},
	})
	return errors.Join(err, auditErr)
}

// checkAll opens and reads every volume. If settle is set, what it holds is all that is known
// afterwards.
func (c *client) checkAll(power, settle bool) error {
	for name := range c.m.gone {
		op := &vlmcd.Op{Kind: vlmcd.Open, Name: []byte(name)}
		if err := c.n.do(op); !errors.Is(err, mapper.ErrNotFound) {
			return fmt.Errorf("%s was removed: %w", name, errOf(err))
		}
	}
	for _, name := range c.m.names() {
		if err := c.check(name, power, settle); err != nil {
			return err
		}
	}
	return nil
}

func errOf(err error) error {
	if err == nil {
		return errors.New("it is there")
	}
	return err
}

func (c *client) check(name string, power, settle bool) error {
	v := c.m.volumes[name]
	op := &vlmcd.Op{Kind: vlmcd.Open, Name: []byte(name)}
	err := c.n.do(op)
	if to := v.becomes; errors.Is(err, mapper.ErrNotFound) && to != "" {
		c.m.moved(name, to)
		return c.check(to, power, settle)
	}
	if errors.Is(err, mapper.ErrNotFound) && v.maybeAbsent {
		delete(c.m.volumes, name)
		return c.undecided(v, "absent")
	}
	if err == nil {
		err = c.undecided(v, "there")
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	v.named(name, op.Info)
	return c.compare(name, power, settle)
}

// undecided notes what has become of a member of a group; the others must have gone the same way.
func (c *client) undecided(v *volume, how string) error {
	if v.group == "" {
		return nil
	}
	if c.groups == nil {
		c.groups = map[string]string{}
	}
	if was := c.groups[v.group]; was != "" && was != how {
		return fmt.Errorf("one member of the group is %s, another is %s", was, how)
	}
	c.groups[v.group] = how
	return nil
}

// compare reads a volume.
func (c *client) compare(name string, power, settle bool) error {
	v := c.m.volumes[name]
	data, err := c.read(name)
	if err != nil {
		return err
	}
	err = v.checkContent(name, data, power)
	if v.instead != nil && err != nil {
		w := &volume{cells: v.instead}
		if other := w.checkContent(name, data, power); other != nil {
			return fmt.Errorf("neither old (%w) nor new (%w)", err, other)
		}
		err = nil
	}
	if err == nil && settle {
		v.settle(data)
	}
	return err
}

// finishControl repeats the control operations that weren't answered.
func (c *client) finishControl() error {
	for _, x := range c.m.control {
		info, err := x.again(c)
		if err != nil {
			return fmt.Errorf("%s, repeated: %w", x.what, err)
		}
		x.finished(c.m, info)
	}
	c.m.control = nil
	return nil
}

// goOn works on from what a crash has left: some objects are written to and
// flushed, everything is read again, and the power is cut once more.
func (l *lab) goOn(c *client, boot byte, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 8))
	for _, name := range c.m.names() {
		v := c.m.volumes[name]
		if v.readOnly {
			continue
		}
		// The first few objects: how many entries are appended says what they lie over.
		for first := range 1 + rng.IntN(len(v.cells)/perObject+1) {
			at := first*perObject + rng.IntN(perObject)
			if at >= len(v.cells) {
				at = len(v.cells) - 1
			}
			if err := c.do(c.write(name, at, 1, 0)); err != nil {
				return err
			}
		}
		if err := c.do(c.flush(name)); err != nil {
			return err
		}
	}
	for _, name := range c.m.names() {
		if err := c.observe(name); err != nil {
			return fmt.Errorf("gone on: %w", err)
		}
	}
	choose := func(int) int { return 0 }
	if seed%2 == 1 {
		choose = rand.New(rand.NewPCG(seed, 9)).IntN
	}
	return l.second(c.n.disks.powerCut(choose), c.m, boot+1)
}

// second checks what a second power cut has left.
func (l *lab) second(d disks, m *model, boot byte) (err error) {
	dir, err := l.empty("second")
	if err != nil {
		return err
	}
	l.states++
	if err := l.audit(d, true); err != nil {
		return fmt.Errorf("second cut: %w", err)
	}
	n, err := startNode(d, dir, boot, l.fault, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.end()) }()
	if err := (&client{n: n, m: m}).checkAll(true, false); err != nil {
		return fmt.Errorf("second cut: %w", err)
	}
	return nil
}
