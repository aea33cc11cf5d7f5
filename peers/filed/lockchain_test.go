package filed

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"archipelago/peers/blocker"
)

func advance(s blocker.Store, from uint64, who string) (uint64, error) {
	op := &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x", Generation: from, Data: []byte(who)}
	err := blocker.Do(s, op)
	return op.Generation, err
}

// TestChainIsCleaned: a chain of any length takes few files.
func TestChainIsCleaned(t *testing.T) {
	s := open(t, nil)
	for g := range uint64(100) {
		if _, err := advance(s, g, "me"); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(filepath.Join(s.locks.disk.dir, chainDir("l/x")))
	if err != nil || len(files) > 2*keepGenerations+2 {
		t.Errorf("%d files (%v)", len(files), err)
	}
	if !slices.ContainsFunc(files, func(e os.DirEntry) bool { return e.Name() == "100" }) {
		t.Error("the highest generation is gone")
	}
}

// TestLateAdvance: one that was held up before its link, while the chain moved on past what is kept,
// has lost although the name is free again.
func TestLateAdvance(t *testing.T) {
	for _, from := range []uint64{0, 3} {
		t.Run(strconv.FormatUint(from, 10), func(t *testing.T) {
			s := open(t, nil)
			for g := range from {
				if _, err := advance(s, g, "me"); err != nil {
					t.Fatal(err)
				}
			}
			tr := watch(s)
			reached, release := tr.hold(t, "link "+generation("l/x", from+1))
			late := &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x", Generation: from, Data: []byte("late")}
			done := start(s, late)
			<-reached
			const upto = 60
			for g := from; g < upto; g++ {
				if _, err := advance(s, g, "other"); err != nil {
					t.Fatal(err)
				}
			}
			if there, _ := s.locks.exists(generation("l/x", from+1)); there {
				t.Fatal("the generation wasn't cleaned: the test shows nothing")
			}
			release()
			if err := <-done; !errors.Is(err, blocker.ErrConflict) || late.Generation != upto {
				t.Errorf("%v, generation %d", err, late.Generation)
			}
			if g, err := advance(s, upto, "next"); err != nil || g != upto+1 {
				t.Errorf("afterwards: %d, %v", g, err)
			}
		})
	}
}

// TestOldHead: a head that somebody who was held up has put in place of a newer one misleads nobody.
func TestOldHead(t *testing.T) {
	s := open(t, nil)
	const upto = 50
	for g := range uint64(upto) {
		if _, err := advance(s, g, "me"); err != nil {
			t.Fatal(err)
		}
	}
	head := filepath.Join(s.locks.disk.dir, chainDir("l/x"), headName)
	if err := os.WriteFile(head, []byte("8"), 0o600); err != nil {
		t.Fatal(err)
	}
	if g, err := advance(s, 8, "late"); !errors.Is(err, blocker.ErrConflict) || g != upto {
		t.Errorf("late: %d, %v", g, err)
	}
	if g, err := advance(s, upto, "next"); err != nil || g != upto+1 {
		t.Errorf("next: %d, %v", g, err)
	}
}

// TestBrokenHead: bytes that are no number are an error, not a generation.
func TestBrokenHead(t *testing.T) {
	s := open(t, nil)
	if _, err := advance(s, 0, "me"); err != nil {
		t.Fatal(err)
	}
	head := filepath.Join(s.locks.disk.dir, chainDir("l/x"), headName)
	for _, bad := range []string{"", "x", "-1", "99999999999999999999", "1\n"} {
		if err := os.WriteFile(head, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := advance(s, 1, "me"); err == nil {
			t.Errorf("head %q passes", bad)
		}
	}
	// A chain that has lost its generations isn't free.
	if err := os.WriteFile(head, []byte("8"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(head), "1")); err != nil {
		t.Fatal(err)
	}
	if g, err := advance(s, 0, "me"); err == nil || errors.Is(err, blocker.ErrConflict) {
		t.Errorf("a damaged chain: generation %d, %v", g, err)
	}
}
