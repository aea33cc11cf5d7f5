package memstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
	"archipelago/peers/blocker/memstore"
)

func TestConformance(t *testing.T) {
	blockertest.Run(t, func(*testing.T) blocker.Store { return memstore.New() })
}

func TestSyncFailure(t *testing.T) {
	blockertest.RunSyncFailure(t, func(*testing.T) blockertest.Faulty { return memstore.New() })
}

// Restart: what a kill leaves.
func (w worst) Restart(*testing.T) blockertest.Killable { return worst{w.Clone()} }

func TestRestart(t *testing.T) {
	blockertest.RunRestart(t, func(*testing.T) blockertest.Killable { return worst{memstore.New()} })
}

// worst makes a power cut lose whatever it may.
type worst struct{ *memstore.Store }

func (w worst) Worst() blocker.Store { return w.PowerCut(func(int) int { return 0 }) }

func TestPowerCut(t *testing.T) {
	blockertest.RunPowerCut(t, func(*testing.T) blockertest.Crashable { return worst{memstore.New()} })
}

func must(t *testing.T, s blocker.Store, op *blocker.Op) *blocker.Op {
	t.Helper()
	if err := blocker.Do(s, op); err != nil {
		t.Fatal(err)
	}
	return op
}

func content(t *testing.T, s blocker.Store, name string) string {
	t.Helper()
	st := &blocker.Op{Kind: blocker.Stat, Name: name}
	if err := blocker.Do(s, st); errors.Is(err, blocker.ErrNotFound) {
		return "none"
	}
	return string(must(t, s, &blocker.Op{Kind: blocker.Read, Name: name, Data: make([]byte, st.N)}).Data)
}

// outcomes collects what power cuts of a store leave of an object, over all choices.
func outcomes(t *testing.T, s *memstore.Store, name string) map[string]bool {
	seen := map[string]bool{}
	// Counts through all sequences of choices: the last one that can be raised is raised, and
	// those after it begin anew.
	for path := []int{}; ; {
		depth, limits := 0, []int{}
		cut := s.PowerCut(func(n int) int {
			if depth == len(path) {
				path = append(path, 0)
			}
			limits = append(limits, n)
			depth++
			return path[depth-1]
		})
		seen[content(t, cut, name)] = true
		i := depth - 1
		for i >= 0 && path[i] == limits[i]-1 {
			i--
		}
		if i < 0 {
			return seen
		}
		path = append(path[:i], path[i]+1)
	}
}

func block(c byte) string { return string(bytes.Repeat([]byte{c}, 4096)) }

// TestOutcomes: a power cut may leave each block in any state since the last sync, whatever the
// others are in.
func TestOutcomes(t *testing.T) {
	s := memstore.New()
	write := func(off int64, data string) {
		must(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Offset: off, Data: []byte(data)})
	}
	write(0, block('a')+block('b'))
	must(t, s, &blocker.Op{Kind: blocker.Sync})
	write(0, block('c')+block('d'))
	write(4096, block('e'))
	want := map[string]bool{}
	for _, first := range "ac" {
		for _, second := range "bde" {
			want[block(byte(first))+block(byte(second))] = true
		}
	}
	got := outcomes(t, s, "x")
	if len(got) != len(want) {
		t.Errorf("%d outcomes, want %d", len(got), len(want))
	}
	for o := range got {
		if !want[o] {
			t.Errorf("an outcome of %d bytes that can't be", len(o))
		}
	}
}

// TestOutcomesOfAppend: an unsynced append may be cut or torn at any byte, and never reaches back.
func TestOutcomesOfAppend(t *testing.T) {
	s := memstore.New()
	must(t, s, &blocker.Op{Kind: blocker.Create, Name: "x", Data: []byte("old")})
	must(t, s, &blocker.Op{Kind: blocker.Append, Name: "x", Offset: 3, Data: []byte("new")})
	got := outcomes(t, s, "x")
	for _, o := range []string{"old", "oldn", "oldne", "oldnew", "oldne\x00", "oldn\x00\x00",
		"old\x00", "old\x00\x00", "old\x00\x00\x00"} {
		if !got[o] {
			t.Errorf("%q is no outcome", o)
		}
		delete(got, o)
	}
	for o := range got {
		t.Errorf("%q is an outcome", o)
	}
}

// TestOutcomesOfNames: what a name means changes as a whole, and goes back no further than to the
// last time that it was durable.
func TestOutcomesOfNames(t *testing.T) {
	s := memstore.New()
	must(t, s, &blocker.Op{Kind: blocker.Create, Name: "x", Data: []byte("one")})
	must(t, s, &blocker.Op{Kind: blocker.Delete, Name: "x"})
	if got := outcomes(t, s, "x"); !got["one"] || !got["none"] || len(got) != 2 {
		t.Errorf("after delete: %v", got)
	}
	must(t, s, &blocker.Op{Kind: blocker.Replace, Name: "x", Data: []byte("two")})
	if got := outcomes(t, s, "x"); !got["two"] || len(got) != 1 {
		t.Errorf("after replace: %v", got)
	}
}

// TestNothingLost: the last choice of each loses nothing, and a store after a cut is whole.
func TestNothingLost(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := memstore.New()
	for i := range 200 {
		name := fmt.Sprintf("%d", r.IntN(5))
		must(t, s, &blocker.Op{Kind: blocker.Write, Name: name, Offset: r.Int64N(20000), Data: bytes.Repeat([]byte{byte(i)}, r.IntN(9000))})
		if r.IntN(20) == 0 {
			must(t, s, &blocker.Op{Kind: blocker.Sync, Name: name})
		}
	}
	cut := s.PowerCut(func(n int) int { return n - 1 })
	clone := s.Clone()
	for i := range 5 {
		name := fmt.Sprintf("%d", i)
		want := content(t, s, name)
		if content(t, cut, name) != want || content(t, clone, name) != want {
			t.Errorf("object %s differs", name)
		}
	}
	worst := cut.PowerCut(func(int) int { return 0 })
	if content(t, worst, "0") != content(t, cut, "0") {
		t.Error("what a power cut has left isn't durable")
	}
}

// TestDeterministic: the same choices give the same store.
func TestDeterministic(t *testing.T) {
	s := memstore.New()
	for i := range 50 {
		must(t, s, &blocker.Op{Kind: blocker.Write, Name: fmt.Sprintf("%d", i), Data: bytes.Repeat([]byte{byte(i)}, 10000)})
	}
	cut := func() (all string) {
		c := s.PowerCut(rand.New(rand.NewPCG(7, 7)).IntN)
		for i := range 50 {
			all += content(t, c, fmt.Sprintf("%d", i))
		}
		return all
	}
	if first, second := cut(), cut(); first != second {
		t.Error("the same seed gives another outcome")
	}
}

// TestCloneIsApart: what happens to a clone doesn't happen to the original.
func TestCloneIsApart(t *testing.T) {
	s := memstore.New()
	must(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: []byte("one")})
	c := s.Clone()
	must(t, c, &blocker.Op{Kind: blocker.Write, Name: "x", Data: []byte("two")})
	must(t, c, &blocker.Op{Kind: blocker.Sync})
	must(t, c, &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x"})
	if got := content(t, s, "x"); got != "one" {
		t.Errorf("the original holds %q", got)
	}
	if got := content(t, worst{s}.Worst(), "x"); got != "none" {
		t.Errorf("a sync of the clone has made the original's object durable: %q", got)
	}
	if op := must(t, s, &blocker.Op{Kind: blocker.LockRead, Name: "l/x"}); op.Generation != 0 {
		t.Error("a lock of the clone is the original's")
	}
}

// limited fills up by decree.
type limited struct{ *memstore.Store }

func (l limited) Fill() error {
	err := blocker.Do(l, &blocker.Op{Kind: blocker.Write, Name: "fill"})
	l.SetFull(true)
	return err
}

func TestConformanceFull(t *testing.T) {
	blockertest.RunFull(t, func(*testing.T) blockertest.Limited { return limited{memstore.New()} })
}

// TestFull: a full store refuses what needs space and still replaces, truncates and deletes.
func TestFull(t *testing.T) {
	s := memstore.New()
	must(t, s, &blocker.Op{Kind: blocker.Create, Name: "x", Data: []byte("12345")})
	s.SetFull(true)
	for _, op := range []*blocker.Op{
		{Kind: blocker.Write, Name: "new", Data: []byte{1}},
		{Kind: blocker.Write, Name: "x", Offset: 5, Data: []byte{1}},
		{Kind: blocker.Append, Name: "x", Offset: 5, Data: []byte{1}},
		{Kind: blocker.Create, Name: "new"},
		{Kind: blocker.Copy, Name: "new", Source: "x", Length: 1},
		{Kind: blocker.WriteZeroes, Name: "x", Offset: 5, Length: 1},
	} {
		if err := blocker.Do(s, op); !errors.Is(err, blocker.ErrNoSpace) {
			t.Errorf("kind %d: %v", op.Kind, err)
		}
	}
	must(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Offset: 4, Data: []byte{'6'}})
	must(t, s, &blocker.Op{Kind: blocker.Replace, Name: "x", Data: []byte("abcd")})
	must(t, s, &blocker.Op{Kind: blocker.Discard, Name: "x", Offset: 2, Length: 100})
	if got := content(t, s, "x"); got != "ab\x00\x00" {
		t.Errorf("holds %q", got)
	}
	must(t, s, &blocker.Op{Kind: blocker.TruncateTail, Name: "x", Offset: 1})
	must(t, s, &blocker.Op{Kind: blocker.Delete, Name: "x"})
	must(t, s, &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x"})
	must(t, s, &blocker.Op{Kind: blocker.Replace, Name: "t/x", Data: []byte("tombstone")})
	if err := blocker.Do(s, &blocker.Op{Kind: blocker.Replace, Name: "t/y"}); !errors.Is(err, blocker.ErrNoSpace) {
		t.Errorf("with the reserve used: %v", err)
	}
	s.SetFull(false)
	must(t, s, &blocker.Op{Kind: blocker.Create, Name: "x"})
}

// TestTornSectors: with TearSectors each sector of a block is of its own time.
func TestTornSectors(t *testing.T) {
	s := memstore.New()
	s.TearSectors(true)
	must(t, s, &blocker.Op{Kind: blocker.Create, Name: "x", Data: []byte(block('a'))})
	must(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: []byte(block('b'))})
	got := outcomes(t, s, "x")
	if len(got) != 1<<8 {
		t.Errorf("%d outcomes of 8 sectors, want %d", len(got), 1<<8)
	}
	for o := range got {
		for at := 0; at < len(o); at += 512 {
			if strings.Trim(o[at:at+512], o[at:at+1]) != "" {
				t.Fatalf("the sector at %d is mixed", at)
			}
		}
	}
}

// TestCloneTears: a clone is cut as the store would be that it was made of.
func TestCloneTears(t *testing.T) {
	s := memstore.New()
	s.TearSectors(true)
	must(t, s, &blocker.Op{Kind: blocker.Create, Name: "x", Data: []byte(block('a'))})
	must(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: []byte(block('b'))})
	if got := outcomes(t, s.Clone(), "x"); len(got) != 1<<8 {
		t.Errorf("%d outcomes of 8 sectors, want %d", len(got), 1<<8)
	}
}
