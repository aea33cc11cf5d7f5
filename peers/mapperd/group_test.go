package mapperd

import (
	"testing"
	"time"

	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

var testGroup = [16]byte{9}

func member(e *Engine, name, snap string) error {
	_, err := do(e, mapper.Op{Kind: mapper.Snapshot, Name: name, Other: snap, Group: testGroup, Members: 2})
	return err
}

func decide(e *Engine, members int, names ...string) error {
	_, err := do(e, mapper.Op{
		Kind: mapper.SnapshotGroup, Group: testGroup, Members: members, Data: snapshots(names...),
	})
	return err
}

// members makes two volumes and a member of each.
func members(t *testing.T, w *world) *Engine {
	e := w.start()
	for _, name := range []string{"v", "w"} {
		v := mustCreate(t, e, name)
		mustWrite(t, w, v, 0, 0, 1)
		must(t, member(e, name, name+"s"))
		mustWrite(t, w, v, 0, 0, 2)
	}
	return e
}

func openError(e *Engine, name string) error {
	_, err := do(e, mapper.Op{Kind: mapper.Open, Name: name})
	return err
}

// TestGroupIsPending: until the group is decided nobody uses a member.
func TestGroupIsPending(t *testing.T) {
	w := newWorld(t)
	e := members(t, w)
	wantError(t, openError(e, "vs"), mapper.ErrAgain)
	_, err := clone(e, "c", "vs")
	wantError(t, err, mapper.ErrBusy)
	wantError(t, remove(e, "vs"), mapper.ErrBusy)
	op, err := do(e, mapper.Op{Kind: mapper.InfoOf, Name: "vs"})
	if err != nil || op.Info.Flags&4 == 0 {
		t.Errorf("%+v, %v", op.Info, err)
	}
	must(t, decide(e, 2, "vs", "ws"))
	for range 2 {
		must(t, decide(e, 2, "vs", "ws")) // the same request again
		for _, name := range []string{"vs", "ws"} {
			op, err := do(e, mapper.Op{Kind: mapper.Open, Name: name})
			must(t, err)
			wantSub(t, w, op.Info, 0, 0, 1)
		}
		wantError(t, decide(e, 0, "vs", "ws"), mapper.ErrExists)
		e = w.restart()
	}
}

// TestGroupGivenUp: by its maker, or by whoever meets a member that nobody works on any more.
func TestGroupGivenUp(t *testing.T) {
	give := map[string]func(*world, *Engine) *Engine{
		"by its maker": func(w *world, e *Engine) *Engine { must(t, decide(e, 0, "vs", "ws")); return e },
		"after a restart": func(w *world, _ *Engine) *Engine {
			e := w.restart()
			wantError(t, openError(e, "vs"), mapper.ErrNotFound)
			return e
		},
		"after a while": func(w *world, e *Engine) *Engine {
			e.mu.Lock()
			e.groups[testGroup] = time.Now().Add(-2 * groupPatience)
			e.mu.Unlock()
			wantError(t, openError(e, "ws"), mapper.ErrNotFound)
			return e
		},
	}
	for name, how := range give {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := how(w, members(t, w))
			wantError(t, decide(e, 2, "vs", "ws"), mapper.ErrStale)
			for _, name := range []string{"vs", "ws"} {
				wantError(t, openError(e, name), mapper.ErrNotFound)
			}
			mustCreate(t, e, "vs")
		})
	}
}

// TestGroupLacksAMember: then it isn't to be.
func TestGroupLacksAMember(t *testing.T) {
	w := newWorld(t)
	e := members(t, w)
	wantError(t, decide(e, 3, "vs", "ws", "xs"), mapper.ErrStale)
	for _, name := range []string{"vs", "ws"} {
		wantError(t, openError(e, name), mapper.ErrNotFound)
	}
}

// deletions passes operations on, and tells of each object that was deleted.
func deletions(w *world, deleted chan<- string) blocker.Store {
	return storeFunc(func(op *blocker.Op) {
		name := op.Name
		gone := op.Kind == blocker.Delete
		w.fblocks.Submit(op)
		if gone {
			deleted <- name
		}
	})
}
