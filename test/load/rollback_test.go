package load_test

import (
	"context"
	"errors"
	"testing"

	"archipelago/test/load"
)

// memory is a device in memory.
type memory []byte

func (m memory) ReadAt(_ context.Context, p []byte, off int64) error  { copy(p, m[off:]); return nil }
func (m memory) WriteAt(_ context.Context, p []byte, off int64) error { copy(m[off:], p); return nil }
func (m memory) Flush(context.Context) error                          { return nil }

// rolling is a device of four blocks that were written twice, with a snapshot in between.
type rolling struct {
	*testing.T
	*load.Checker
	memory
	snap   memory
	stamps []uint64
}

func newRolling(t *testing.T) *rolling {
	r := &rolling{T: t, Checker: load.NewChecker(4, 7), memory: make(memory, 4*load.BlockSize)}
	r.writeAll()
	r.snap, r.stamps = append(memory(nil), r.memory...), r.Low()
	r.writeAll()
	r.BeginRollback(r.stamps)
	return r
}

func (r *rolling) write(i int) {
	r.Helper()
	if err := r.Write(r.Context(), r, i, make([]byte, load.BlockSize)); err != nil {
		r.Fatal(err)
	}
}

func (r *rolling) writeAll() {
	for i := range r.Blocks() {
		r.write(i)
	}
}

// back makes block i what it is in the snapshot.
func (r *rolling) back(i int) {
	at := i * load.BlockSize
	copy(r.memory[at:at+load.BlockSize], r.snap[at:])
}

// wrong fails unless err says that data is wrong.
func (r *rolling) wrong(err error) {
	r.Helper()
	if _, wrong := errors.AsType[*load.WrongError](err); !wrong {
		r.Errorf("not found: %v", err)
	}
}

// TestRollback: blocks are as the snapshot, or as they were written since the rollback began.
func TestRollback(t *testing.T) {
	r := newRolling(t)
	r.back(0)
	r.back(1)
	r.write(1) // after it
	r.write(2) // before it
	r.back(2)
	r.back(3)
	r.EndRollback()
	if err := r.CheckAll(t.Context(), r); err != nil {
		t.Error(err)
	}
	r.write(3)
	r.back(3) // a second time
	r.wrong(r.CheckAll(t.Context(), r))
}

// TestRollbackInPart: a block that isn't rolled back is found, whether the answer came or not.
func TestRollbackInPart(t *testing.T) {
	r := newRolling(t)
	r.back(0)
	_, err := r.SettleRollback(t.Context(), r)
	r.wrong(err)
	r.EndRollback()
	r.wrong(r.CheckAll(t.Context(), r))
}

// TestRollbackUnanswered: it has happened or not, and nothing in between.
func TestRollbackUnanswered(t *testing.T) {
	for _, happens := range []bool{false, true} {
		r := newRolling(t)
		r.write(3)
		for i := range 4 {
			if happens {
				r.back(i)
			}
		}
		if got, err := r.SettleRollback(t.Context(), r); err != nil || got != happens {
			t.Errorf("happened: %v, %v", got, err)
		}
		if err := r.CheckAll(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
}

// TestRollbackToWhatWasUnsure: where a snapshot has a write without an answer, to find that again
// doesn't tell that the rollback happened.
func TestRollbackToWhatWasUnsure(t *testing.T) {
	r := newRolling(t)
	r.EndRollback()
	copy(r.memory, r.snap)
	if err := r.Write(t.Context(), lost{r.memory}, 0, make([]byte, load.BlockSize)); err == nil {
		t.Fatal("it was answered")
	}
	stamps, err := r.CheckSnapshot(t.Context(), r, load.Bounds{Low: r.Low(), High: r.High()})
	if err != nil {
		t.Fatal(err)
	}
	r.write(1)
	r.BeginRollback(stamps)
	if happened, err := r.SettleRollback(t.Context(), r); err != nil || happened {
		t.Errorf("happened: %v, %v", happened, err)
	}
}

// lost is a device that writes and doesn't answer.
type lost struct{ memory }

func (l lost) WriteAt(ctx context.Context, p []byte, off int64) error {
	return errors.Join(l.memory.WriteAt(ctx, p, off), errors.New("no answer"))
}
