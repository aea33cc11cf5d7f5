package mapperd

import (
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// TestOldNameAfterRestart: who opened a volume before it was renamed goes on after a restart, with
// the name that it knows; also if that name is another volume's by now.
func TestOldNameAfterRestart(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	v := mustCreate(t, e, "v")
	mustWrite(t, w, v, 3, 1, 30)
	_, err := do(e, mapper.Op{Kind: mapper.Rename, Name: "v", Other: "w", RequestID: [16]byte{1}})
	must(t, err)
	w.restart()
	wantSub(t, w, v, 3, 1, 30)
	mustWrite(t, w, v, 3, 2, 31)
	must(t, flush(w.engine, v))

	other := mustCreate(t, w.engine, "v")
	e = w.restart()
	wantSub(t, w, v, 3, 2, 31)
	op, err := do(e, mapper.Op{Kind: mapper.Open, Name: "v", Volume: v.UUID})
	must(t, err)
	if op.Info.UUID != v.UUID || op.Info.Name != "w" {
		t.Fatalf("%+v", op.Info)
	}
	op, err = do(e, mapper.Op{Kind: mapper.Open, Name: "v"})
	must(t, err)
	if op.Info.UUID != other.UUID {
		t.Fatal("a name alone means who has it now")
	}
}

// TestGoneIsNotSearchedAgain: clients of a removed volume ask again and again.
func TestGoneIsNotSearchedAgain(t *testing.T) {
	w := newWorld(t)
	e := w.start()
	for _, name := range []string{"a", "b", "c"} {
		mustCreate(t, e, name)
	}
	gone := mapper.Info{UUID: mapfmt.UUID{9}, Name: "gone"}
	reads := 0
	w.fmaps.After(func(_ int, op *blocker.Op) {
		if op.Kind == blocker.Read {
			reads++
		}
	})
	_, err := mapRead(e, gone, 0)
	wantError(t, err, mapper.ErrNotFound)
	if reads == 0 {
		t.Fatal("no record was looked at")
	}
	before := reads
	_, err = mapRead(e, gone, 0)
	wantError(t, err, mapper.ErrNotFound)
	if reads != before {
		t.Fatalf("%d reads for a volume that isn't there", reads-before)
	}
}
