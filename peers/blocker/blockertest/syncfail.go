package blockertest

import (
	"errors"
	"syscall"
	"testing"

	"archipelago/peers/blocker"
)

// Faulty is a store whose syncs can be made to fail.
type Faulty interface {
	blocker.Store
	// FailSync makes the sync of an object fail with f(name) unless that is nil.
	FailSync(f func(name string) error)
}

// RunSyncFailure checks what a store makes of a sync that fails: the object stays bad.
func RunSyncFailure(t *testing.T, open func(t *testing.T) Faulty) {
	for _, c := range []struct {
		name string
		heal func(f *fixture)
	}{
		{"replace", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Replace, Name: "bad/x", Data: pattern(3, 100)})
		}},
		{"delete", func(f *fixture) { f.must(&blocker.Op{Kind: blocker.Delete, Name: "bad/x"}) }},
		{"whole write", func(f *fixture) { f.write("bad/x", 0, pattern(3, 5000)) }},
		{"whole zeroes", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.WriteZeroes, Name: "bad/x", Length: 5000})
		}},
		{"whole copy", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Copy, Name: "bad/x", Source: "bad/ok", Length: 5000})
		}},
		{"whole fill", func(f *fixture) {
			f.must(&blocker.Op{Kind: blocker.Fill, Name: "bad/x", Offset: 100, Data: pattern(3, 100), Source: "bad/ok", Length: 5000})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			f := &fixture{T: t, s: s}
			defer s.Close()
			f.write("bad/x", 0, pattern(1, 5000))
			f.write("bad/ok", 0, pattern(2, 5000))
			f.failOnce(s)
			f.staysBad()
			c.heal(f)
			f.must(&blocker.Op{Kind: blocker.Sync})
			f.must(&blocker.Op{Kind: blocker.Sync, Name: "bad/x"})
		})
	}
}

// failOnce lets one sync of bad/x fail. The kernel tells an error once: a second fsync succeeds.
func (f *fixture) failOnce(s Faulty) {
	f.Helper()
	failed := false
	s.FailSync(func(name string) error {
		if name != "bad/x" || failed {
			return nil
		}
		failed = true
		return syscall.EIO
	})
	if op := f.do(&blocker.Op{Kind: blocker.Sync}); !errors.Is(op.Err, syscall.EIO) {
		f.Fatalf("a sync that failed: %v", op.Err)
	}
}

// staysBad checks that every Sync that covers bad/x fails, whatever is written to a part of it, and
// no other.
func (f *fixture) staysBad() {
	f.Helper()
	for range 2 {
		f.isBad(&blocker.Op{Kind: blocker.Sync})
		f.isBad(&blocker.Op{Kind: blocker.Sync, Name: "bad/x"})
		f.must(&blocker.Op{Kind: blocker.Sync, Name: "bad/ok"})
		f.must(&blocker.Op{Kind: blocker.Sync, Volume: blocker.UUID{9}})
		f.write("bad/x", 0, pattern(1, 4999))
		f.isBad(&blocker.Op{Kind: blocker.Write, Name: "bad/x", Data: []byte{1}, Flags: blocker.FlagFUA})
		f.must(&blocker.Op{Kind: blocker.Discard, Name: "bad/x", Length: 100})
	}
}
