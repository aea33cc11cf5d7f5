package powercut

import (
	"errors"
	"testing"

	"archipelago/peers/blocker"
)

// What is removed leaves little to choose, unless the removal is lost; and a torn append has many more
// outcomes than a whole one shows.
func TestOutcomesAreBounded(t *testing.T) {
	removed, appended := newDisks(), newDisks()
	mustDo(t, removed.blocks,
		blocker.Op{Kind: blocker.Write, Name: "a", Data: make([]byte, objectSize)},
		blocker.Op{Kind: blocker.Delete, Name: "a"})
	appended.maps.TearSectors(false)
	mustDo(t, appended.maps,
		blocker.Op{Kind: blocker.Create, Name: "c/a", Data: make([]byte, 100)},
		blocker.Op{Kind: blocker.Append, Name: "c/a", Offset: 100, Data: make([]byte, 2000)})
	for _, d := range []disks{removed, appended} {
		for _, n := range []int{40, 400} {
			count := 0
			err := outcomes(d, n, 1, func(disks, string) error {
				if count++; count > n {
					return errors.New("no end")
				}
				return nil
			})
			if err != nil || count != n {
				t.Errorf("at most %d asked for: %d, %v", n, count, err)
			}
		}
	}
}

func mustDo(t *testing.T, s blocker.Store, ops ...blocker.Op) {
	t.Helper()
	for i := range ops {
		if err := blocker.Do(s, &ops[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// Where there are few, each of them is tried once.
func TestOutcomesAreWhole(t *testing.T) {
	d := newDisks()
	for _, name := range []string{"a", "b"} {
		mustDo(t, d.blocks, blocker.Op{Kind: blocker.Create, Name: name},
			blocker.Op{Kind: blocker.Delete, Name: name})
	}
	seen := map[string]int{}
	err := outcomes(d, 100, 1, func(_ disks, how string) error {
		seen[how]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for how, n := range seen {
		if n != 1 {
			t.Errorf("%s was tried %d times", how, n)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d outcomes of two names: %v", len(seen), seen)
	}
}
