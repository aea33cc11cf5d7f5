package mapperd

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
)

// moment is what the stores and the pending logs were when the crash came.
type moment struct {
	mu           sync.Mutex
	w            *world
	at           int // store operation before which everything stops; 0 = never
	ops          int
	maps, blocks *memstore.Store
	logs         map[string][]byte // the files of the directory of pending logs
}

// watch counts the operations of both stores, and lets the crash come before number at.
func (m *moment) watch() {
	before := func(_ int, op *blocker.Op) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.maps != nil {
			return errCut
		}
		m.ops++
		if m.ops != m.at {
			return nil
		}
		m.take()
		return errCut
	}
	m.w.fmaps.Before(before)
	m.w.fblocks.Before(before)
}

// take keeps a copy of everything as it is.
func (m *moment) take() {
	m.maps, m.blocks = m.w.maps.Clone(), m.w.blocks.Clone()
	logs, err := readFiles(m.w.dir)
	if err != nil {
		m.w.t.Error(err)
	}
	m.logs = logs
}

// readFiles reads the files of a directory. The engine may be at work in it: a file that has gone
// since it was listed was a temporary one, or one that a kill would not have found either.
func readFiles(dir string) (map[string][]byte, error) {
	list, err := os.ReadDir(dir)
	files := map[string][]byte{}
	for _, f := range list {
		data, readErr := os.ReadFile(filepath.Join(dir, f.Name()))
		if errors.Is(readErr, fs.ErrNotExist) {
			continue
		}
		err = errors.Join(err, readErr)
		files[f.Name()] = data
	}
	return files, err
}

// tempDir makes a directory that goes with its world.
func tempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "mapperd")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// hasCome says whether the crash has come.
func (m *moment) hasCome() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.maps != nil
}

// end takes the moment now if the crash hasn't come; it says whether it had.
func (m *moment) end() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.maps != nil {
		return true
	}
	m.take()
	return false
}

// killed is the world after a kill of all processes.
func (m *moment) killed(t testing.TB) *world {
	dir := tempDir(t)
	for name, data := range m.logs {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &world{
		t: t, maps: m.maps.Clone(), blocks: m.blocks.Clone(), dir: dir, boot: m.w.boot, node: m.w.node,
	}
}

// powerless is the world after a power cut: the pending logs are gone, and choose says what else.
func (m *moment) powerless(t testing.TB, choose func(int) int) *world {
	return &world{
		t: t, maps: m.maps.PowerCut(choose), blocks: m.blocks.PowerCut(choose), dir: tempDir(t),
		boot: [16]byte{2}, node: m.w.node,
	}
}

// scenario is a sequence of operations of one client.
type scenario struct {
	name string
	run  func(c *client) error
}

var scenarios = []scenario{
	{"create", func(c *client) error {
		return steps(func() error { return c.create("v") }, func() error { return c.create("w") })
	}},
	{"write", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("v", 0, 1) },
			func() error { return c.write("v", 1030, 1) },
			func() error { return c.flush("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("v", 1, 3) },
			func() error { return c.flush("v") },
			func() error { return c.write("v", 2, 3) },
			func() error { return c.close("v") },
			func() error { return c.write("v", 3, 3) },
			func() error { return c.flush("v") },
		)
	}},
	{"write beside flush", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.flush("v") },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.write("v", 1, 0) },
			func() error { return c.flushBeside("v", 2, 0) },
			func() error { return c.write("v", 3, 0) },
			func() error { return c.flushBeside("v", 0, 0) },
		)
	}},
	{"snapshot", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("v", 0, 2) },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("v", 1030, 1) },
			func() error { return c.flush("v") },
			func() error { return c.write("v", 0, 2) },
			func() error { return c.snapshot("v", "s2") },
			func() error { return c.write("v", 0, 2) },
			func() error { return c.flush("v") },
		)
	}},
	{"clone", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.clone("c", "s") },
			func() error { return c.write("c", 0, 0) },
			func() error { return c.write("c", 1, 0) },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.flush("c") },
			func() error { return c.clone("d", "s") },
			func() error { return c.write("d", 0, 1) },
		)
	}},
	{"remove", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.clone("c", "s") },
			func() error { return c.write("c", 0, 1) },
			func() error { return c.remove("v") },
			func() error { return c.flush("c") },
			func() error { return c.remove("s") },
			func() error { return c.write("c", 0, 0) },
			func() error { return c.remove("c") },
		)
	}},
}

// changes are the scenarios of operations on whole volumes.
var changes = []scenario{
	{"rename", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.rename("v", "w") },
			func() error { return c.write("w", 0, 1) },
			func() error { return c.snapshot("w", "s") },
			func() error { return c.rename("s", "t") },
			func() error { return c.create("v") },
			func() error { return c.write("w", 1030, 0) },
			func() error { return c.rename("w", "a") },
			func() error { return c.remove("a") },
		)
	}},
	{"rollback", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("v", 1030, 1) },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.flush("v") },
			func() error { return c.write("v", 0, 1) },
			func() error { return c.rollback("v", "s") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.flush("v") },
			func() error { return c.write("v", 1, 1) },
			func() error { return c.rollback("v", "s") },
		)
	}},
	{"resize", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 1, 1) },
			func() error { return c.write("v", 1, 3) },
			func() error { return c.write("v", 2, 0) },
			func() error { return c.write("v", 1030, 1) },
			func() error { return c.flush("v") },
			func() error { return c.resize("v", testObject+2*testSub+512) },
			func() error { return c.write("v", 1, 2) },
			func() error { return c.resize("v", testSize) },
			func() error { return c.write("v", 1, 5) },
			func() error { return c.write("v", 1030, 1) },
		)
	}},
	{"resize of shared objects", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 1, 1) },
			func() error { return c.write("v", 1, 3) },
			func() error { return c.write("v", 1030, 1) },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.write("v", 1, 1) },
			func() error { return c.resize("v", testObject+3*testSub+512) },
			func() error { return c.snapshot("v", "t") },
			func() error { return c.resize("v", testSize) },
			func() error { return c.clone("c", "s") },
			func() error { return c.resize("c", testSize*2) },
		)
	}},
	{"group", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.create("w") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("w", 0, 0) },
			func() error { return c.group(1, [2]string{"v", "s"}, [2]string{"w", "t"}) },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.clone("c", "t") },
			func() error { return c.remove("s") },
		)
	}},
	{"paged", func(c *client) error {
		return steps(
			func() error { return c.createSized("v", pagedSize) },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("v", pagedIndex, 0) },
			func() error { return c.flush("v") },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.write("v", pagedIndex, 1) },
			func() error { return c.write("v", 1030, 1) },
			func() error { return c.flush("v") },
			func() error { return c.rollback("v", "s") },
			func() error { return c.write("v", pagedIndex+1030, 1) },
			func() error { return c.resize("v", (pagedIndex+1)*testObject) },
			func() error { return c.resize("v", pagedSize) },
		)
	}},
	{"table becomes paged", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.write("v", 1030, 0) },
			func() error { return c.resize("v", pagedSize) },
			func() error { return c.write("v", pagedIndex, 0) },
			func() error { return c.write("v", 2, 0) },
			func() error { return c.flush("v") },
			func() error { return c.resize("v", 3*testObject) },
			func() error { return c.resize("v", pagedSize) },
		)
	}},
	{"discard", func(c *client) error {
		return steps(
			func() error { return c.create("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.flush("v") },
			func() error { return c.discard("v", 0) },
			func() error { return c.flush("v") },
			func() error { return c.write("v", 0, 0) },
			func() error { return c.snapshot("v", "s") },
			func() error { return c.discard("v", 0) },
			func() error { return c.write("v", 0, 1) },
			func() error { return c.discard("v", 0) },
			func() error { return c.flush("v") },
		)
	}},
}

// A volume of pagedSize has two pages of its chunk table; pagedIndex is an object in the second.
const (
	pagedIndex = mapfmt.PageChunks*mapfmt.ChunkEntries + 5
	pagedSize  = (pagedIndex + 2000) * testObject
)

func init() { scenarios = append(scenarios, changes...) }

func steps(all ...func() error) error {
	for i, step := range all {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// flushBeside flushes, and writes to a place while the flush syncs the data: after its cut.
func (c *client) flushBeside(name string, index int64, sub int) error {
	v := c.m.volumes[name]
	var once sync.Once
	var wrote error
	inner := c.w.engine.cfg.Blocks
	c.w.engine.cfg.Blocks = storeFunc(func(op *blocker.Op) {
		done := op.Done
		op.Done = func(op *blocker.Op) {
			if op.Kind == blocker.Sync {
				once.Do(func() { wrote = c.write(name, index, sub) })
			}
			done(op)
		}
		inner.Submit(op)
	})
	defer func() { c.w.engine.cfg.Blocks = inner }()
	acked := v.ackedNow()
	if err := c.acked(errors.Join(flush(c.w.engine, v.info), wrote)); err != nil {
		return err
	}
	v.flushed(acked)
	return nil
}

type storeFunc func(op *blocker.Op)

func (f storeFunc) Submit(op *blocker.Op) { f(op) }
func (f storeFunc) Close() error          { return nil }

// crashAt runs a scenario up to a store operation, and checks what is left after a kill and after
// power cuts. It says whether the scenario got that far.
func crashAt(t testing.TB, s scenario, at int, f faults, cuts int) (reached bool, states int, bad error) {
	w := newWorld(t)
	w.faults = f
	w.wrap()
	m := &moment{w: w, at: at}
	c := &client{w, newModel(), m}
	m.watch()
	err := w.startWrapped()
	if err == nil {
		err = s.run(c)
	}
	reached = m.end()
	if err != nil && !isCut(err) {
		return reached, 0, fmt.Errorf("%s: %w", s.name, err)
	}
	m.w = &world{boot: w.boot, node: w.node}
	w.end()
	bad = survives(m.killed(t), c.m.clone(), f, false)
	for i := range cuts {
		if bad != nil {
			break
		}
		states++
		if err := survives(m.powerless(t, chooser(at, i)), c.m.clone(), f, true); err != nil {
			bad = fmt.Errorf("power cut %d: %w", i, err)
		}
	}
	return reached, states + 1, bad
}

// chooser picks the outcome of a power cut: everything unsynced is lost, nothing is, or any of it.
func chooser(at, i int) func(n int) int {
	switch i {
	case 0:
		return func(int) int { return 0 }
	case 1:
		return func(n int) int { return n - 1 }
	}
	return rand.New(rand.NewPCG(uint64(at), uint64(i))).IntN
}

func survives(w *world, m *model, f faults, power bool) error {
	w.faults = f
	if err := w.tryStart(); err != nil {
		return err
	}
	defer w.end()
	w.engine.Recover()
	err := m.check(w, power)
	if err == nil {
		err = m.goOn(w)
	}
	return err
}

func (m *model) clone() *model {
	n := &model{volumes: map[string]*modelVolume{}, next: m.next, groups: m.groups}
	for name, v := range m.volumes {
		x := *v
		x.cells = map[place]*cell{}
		for p, c := range v.cells {
			d := *c
			d.values = append([]uint64(nil), c.values...)
			x.cells[p] = &d
		}
		n.volumes[name] = &x
	}
	return n
}

// crashEverywhere crashes a scenario before each of its store operations, and after the last.
func crashEverywhere(t testing.TB, s scenario, f faults, cuts int) (states int, bad error) {
	for at := 1; ; at++ {
		reached, n, err := crashAt(t, s, at, f, cuts)
		states += n
		if err != nil {
			return states, fmt.Errorf("crash before operation %d: %w", at, err)
		}
		if !reached {
			return states, nil
		}
	}
}

func TestCrashEverywhere(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			states, err := crashEverywhere(t, s, faults{}, 6)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d states", states)
		})
	}
}

// TestCheckerSeesFaults plants faults; each must be found by the scenario beside it.
func TestCheckerSeesFaults(t *testing.T) {
	for _, x := range []struct {
		fault, scenario string
		f               faults
	}{
		{"data not synced", "write", faults{skipDataSync: true}},
		{"chunks not synced", "write", faults{skipChunkSync: true}},
		{"present instead of cut", "write beside flush", faults{flushPresent: true}},
		{"snapshot before epoch", "snapshot", faults{snapshotFirst: true}},
		{"old epoch goes on", "snapshot", faults{keepEpoch: true}},
		{"pending log not replayed", "write", faults{dropLog: true}},
		{"record before chunk", "write", faults{recordBeforeChunk: true}},
		{"removal before its tombstone", "remove", faults{deleteFirst: true}},
		{"old name goes first", "rename", faults{moveDeleteFirst: true}},
		{"rollback over a full log", "rollback", faults{rollbackOverLog: true}},
		{"grow before a finished trim", "resize", faults{growUntrimmed: true}},
		{"group without a decision", "group", faults{groupUndecided: true}},
		{"record before its page", "paged", faults{pageLast: true}},
		{"object gone before its entry", "discard", faults{deleteEarly: true}},
	} {
		t.Run(x.fault, func(t *testing.T) {
			t.Parallel()
			at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == x.scenario })
			_, err := crashEverywhere(t, scenarios[at], x.f, 3)
			if err == nil {
				t.Fatal("nobody noticed")
			}
			t.Logf("found: %v", err)
		})
	}
}

func TestPendingDirIsGone(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 0, 0, 1)
	must(t, e.Close())
	must(t, os.Remove(filepath.Join(w.dir, filepath.Base(e.logPath(v.UUID)))))
	w.start()
	wantSub(t, w, v, 0, 0, 0)
	mustWrite(t, w, v, 0, 0, 2)
	wantSub(t, w, v, 0, 0, 2)
}
