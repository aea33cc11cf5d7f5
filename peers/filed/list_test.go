package filed

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"archipelago/peers/blocker"
)

// pages lists everything with that prefix, in pages of size bytes.
func pages(t testing.TB, s blocker.Store, prefix string, size int) (names []string) {
	t.Helper()
	op := &blocker.Op{Kind: blocker.List, Name: prefix, Data: make([]byte, size)}
	for more := true; more; more = op.More {
		if err := blocker.Do(s, op); err != nil {
			t.Fatal(err)
		}
		if err := blocker.Names(op.Data[:op.N], func(n string) error { names = append(names, n); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(names) > 0 {
			op.After = names[len(names)-1]
		}
	}
	return names
}

func countReads(calls []string) (reads map[string]int) {
	reads = map[string]int{}
	for _, c := range calls {
		if dir, ok := strings.CutPrefix(c, "readdir "); ok {
			reads[dir]++
		}
	}
	return reads
}

// TestListReadsOnce: a listing of many pages reads each directory once, and only those where its
// names can lie.
func TestListReadsOnce(t *testing.T) {
	s := open(t, func(o *Options) { o.Dir = memoryDir(t) })
	const uuid = "0b5c1d7e-0000-4000-8000-0000000000"
	for i := range 256 {
		put(t, s, fmt.Sprintf("v/vol%d", i), "1")
		put(t, s, fmt.Sprintf("c/%s%02x/1/0", uuid, i), "1")
	}
	tr := watch(s)
	if names := pages(t, s, "v/", 200); len(names) != 256 || !slices.IsSorted(names) {
		t.Errorf("%d names, sorted: %v", len(names), slices.IsSorted(names))
	}
	for dir, n := range countReads(tr.take()) {
		if n != 1 || dir != "v" && !strings.HasPrefix(dir, "v/=") {
			t.Errorf("%s was read %d times", dir, n)
		}
	}
	if names := pages(t, s, "c/"+uuid+"07/", 200); len(names) != 1 {
		t.Errorf("chunks of a volume: %q", names)
	}
	if reads := countReads(tr.take()); len(reads) != 2 {
		t.Errorf("for the chunks of one volume were read: %v", reads)
	}
	for _, prefix := range []string{"../", ".tmp/", "/", "v//", ".", "none/"} {
		if names := pages(t, s, prefix, 200); len(names) != 0 {
			t.Errorf("prefix %q lists %q", prefix, names)
		}
	}
	for dir := range countReads(tr.take()) {
		if strings.Contains(dir, "..") || strings.HasPrefix(dir, ".tmp") {
			t.Errorf("%s was read", dir)
		}
	}
}

// TestCursors: listings that are under way at once don't disturb each other, and what nobody
// continues is forgotten.
func TestCursors(t *testing.T) {
	s := open(t, func(o *Options) { o.Dir = memoryDir(t) })
	for i := range 100 {
		put(t, s, fmt.Sprintf("v/vol%02d", i), "1")
	}
	var ops [2*cursorMax + 1]blocker.Op
	var got [len(ops)]int
	for i := range ops { // each ends at a place of its own, or at that of another
		ops[i] = blocker.Op{Kind: blocker.List, Name: "v/", Data: make([]byte, 60+20*(i/2))}
	}
	for busy := true; busy; {
		busy = false
		for i := range ops {
			op := &ops[i]
			if got[i] > 0 && !op.More {
				continue
			}
			do(t, s, op)
			_ = blocker.Names(op.Data[:op.N], func(n string) error {
				if want := fmt.Sprintf("v/vol%02d", got[i]); n != want {
					t.Errorf("listing %d: %s instead of %s", i, n, want)
				}
				got[i]++
				op.After = n
				return nil
			})
			busy = busy || op.More
		}
		if n := len(s.cursors.list); n > cursorMax {
			t.Fatalf("%d cursors", n)
		}
	}
	for i, n := range got {
		if n != 100 {
			t.Errorf("listing %d has %d names", i, n)
		}
	}
	// The same place in another listing: its names are others.
	do(t, s, &blocker.Op{Kind: blocker.List, Name: "v/vol0", Data: make([]byte, 60)})
	op := do(t, s, &blocker.Op{Kind: blocker.List, Name: "v/", Data: make([]byte, 1<<16),
		After: s.cursors.list[len(s.cursors.list)-1].after})
	if n := int(op.N) / len("..v/vol00"); n < 90 {
		t.Errorf("a listing with another prefix has %d names left", n)
	}
	do(t, s, &blocker.Op{Kind: blocker.List, Data: make([]byte, 60)})
	c := s.cursors.list[len(s.cursors.list)-1]
	s.cursors.drop(c)
	if slices.Contains(s.cursors.list, c) {
		t.Error("a cursor stays after its time")
	}
}

// BenchmarkList lists a store of many volumes by pages of 64 KiB, and the chunks of one of them.
// ARCHIPELAGO_NAMES sets how many.
func BenchmarkList(b *testing.B) {
	n := 20000
	if s := os.Getenv("ARCHIPELAGO_NAMES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	s := open(b, nil)
	start := time.Now()
	for i := range n {
		put(b, s, fmt.Sprintf("v/volume-%07d", i), "")
	}
	b.Logf("%d names made, %v each", n, time.Since(start)/time.Duration(n))
	for _, first := range []bool{true, false} {
		b.Run(map[bool]string{true: "all", false: "next page"}[first], func(b *testing.B) {
			op := &blocker.Op{Kind: blocker.List, Name: "v/", Data: make([]byte, 64<<10)}
			for range b.N {
				switch {
				case first:
					if got := len(pages(b, s, "v/", 64<<10)); got != n {
						b.Fatalf("%d names", got)
					}
					continue
				case !op.More:
					b.StopTimer()
					op.After = ""
					do(b, s, op)
					b.StartTimer()
				}
				_ = blocker.Names(op.Data[:op.N], func(name string) error { op.After = name; return nil })
				do(b, s, op)
			}
		})
	}
}
