package blockertest

import (
	"syscall"
	"testing"

	"archipelago/peers/blocker"
)

// Killable is a store whose process can be killed.
type Killable interface {
	blocker.Store
	// Restart ends the store as a kill would, and returns the one that is opened after it. The old
	// one isn't used again.
	Restart(t *testing.T) Killable
}

// RunRestart checks that a kill takes nothing that was acknowledged: neither changes nor what the
// next Sync has to cover, nor, in a store that is Faulty as well, that an object is bad.
func RunRestart(t *testing.T, open func(t *testing.T) Killable) {
	t.Run("changes", func(t *testing.T) { testKillKeeps(t, open(t)) })
	t.Run("sync", func(t *testing.T) { testKillThenSync(t, open(t)) })
	t.Run("bad objects", func(t *testing.T) {
		s := open(t)
		if _, ok := s.(Faulty); !ok {
			t.Skip("syncs of this store can't be made to fail")
		}
		testKillBad(t, s)
	})
}

// testKillKeeps makes a change of each kind and kills the store after each.
func testKillKeeps(t *testing.T, s Killable) {
	data := pattern(1, 9000)
	want := append(data[:9000:9000], 1, 2, 3)
	clear(want[4096:8192])
	copy(want[100:200], pattern(2, 100))
	for _, op := range []*blocker.Op{
		{Kind: blocker.Create, Name: "kill/x", Data: data},
		{Kind: blocker.Append, Name: "kill/x", Offset: 9000, Data: []byte{1, 2, 3}},
		{Kind: blocker.WriteZeroes, Name: "kill/x", Offset: 4096, Length: 4096},
		{Kind: blocker.Write, Name: "kill/x", Offset: 100, Data: pattern(2, 100)},
		{Kind: blocker.Copy, Name: "kill/copy", Source: "kill/x", Length: 9003},
		{Kind: blocker.Fill, Name: "kill/fill", Offset: 100, Data: want[100:200], Source: "kill/x", Length: 9003},
		{Kind: blocker.Replace, Name: "kill/re", Data: data},
		{Kind: blocker.TruncateTail, Name: "kill/re", Offset: 5000},
		{Kind: blocker.Write, Name: "kill/gone", Data: data},
		{Kind: blocker.Delete, Name: "kill/gone"},
		{Kind: blocker.LockAdvance, Name: "l/kill", Data: []byte("me")},
	} {
		(&fixture{T: t, s: s}).must(op)
		s = s.Restart(t)
	}
	defer s.Close()
	f := &fixture{T: t, s: s}
	f.holds("kill/x", want)
	f.holds("kill/copy", want)
	f.holds("kill/fill", want)
	f.holds("kill/re", data[:5000])
	f.missing("kill/gone")
	if g, who := f.lock("l/kill"); g != 1 || who != "me" {
		t.Errorf("lock is at %d of %q", g, who)
	}
}

// testKillThenSync checks, where it can be seen, that a Sync covers what a killed store has
// written.
func testKillThenSync(t *testing.T, s Killable) {
	(&fixture{T: t, s: s}).write("kill/x", 0, pattern(1, 5000))
	s = s.Restart(t)
	defer s.Close()
	f := &fixture{T: t, s: s}
	f.must(&blocker.Op{Kind: blocker.Sync})
	if c, ok := s.(Crashable); ok {
		(&fixture{T: t, s: c.Worst()}).holds("kill/x", pattern(1, 5000))
	}
	f.holds("kill/x", pattern(1, 5000))
}

// testKillBad kills a store that has a bad object, before and after somebody has looked at it.
func testKillBad(t *testing.T, s Killable) {
	f := &fixture{T: t, s: s}
	f.write("bad/x", 0, pattern(1, 5000))
	f.write("bad/ok", 0, pattern(2, 5000))
	f.failOnce(s.(Faulty))
	for range 2 {
		s = s.Restart(t)
		f.s = s
		f.isBad(&blocker.Op{Kind: blocker.Sync})
		f.must(&blocker.Op{Kind: blocker.Sync, Name: "bad/ok"})
		f.write("bad/x", 0, pattern(1, 10)) // a part of it
		f.isBad(&blocker.Op{Kind: blocker.Sync, Name: "bad/x"})
	}
	f.write("bad/x", 0, pattern(1, 5000))
	f.must(&blocker.Op{Kind: blocker.Sync})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// isBad runs an operation that has to fail because it covers a bad object. The number is what
// crosses a channel.
func (f *fixture) isBad(op *blocker.Op) {
	f.Helper()
	if f.do(op); blocker.Errno(op.Err) != syscall.EIO {
		f.Errorf("%s: error is %v, want %v", describe(op), op.Err, blocker.ErrBad)
	}
}
