package blockertest

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"archipelago/peers/blocker"
)

// listed are names whose byte order isn't that of a walk through directories.
var listed = []string{
	"a-b/x", "a.b", "a/b-c", "a/b.c/d", "a/b/c", "a/b/d/e", "a/b0", "a0", "a:", "A/z",
	"v/vol1", "v/vol10", "v/vol2", "v/x@y", "h/store",
	"c/0b5c1d7e-0000-4000-8000-000000000001/3/0", "c/0b5c1d7e-0000-4000-8000-000000000001/3/10",
	"c/0b5c1d7e-0000-4000-8000-000000000001/12/0", "c/ffffffff-0000-4000-8000-000000000001/1/0",
	"0b5c1d7e-0000-4000-8000-000000000001/0/1.1.00000000000000aa",
	"0b5c1d7e-0000-4000-8000-000000000001/1/1025.1.00000000000000ab",
	"ffffffff-0000-4000-8000-000000000001/0/0.2.00000000000000ac",
	"t/0b5c1d7e-0000-4000-8000-000000000001.4", "t/0b5c1d7e-0000-4000-8000-000000000001.10",
}

// page lists one page.
func (f *fixture) page(prefix, after string, size int) (names []string, more bool) {
	f.Helper()
	op := f.must(&blocker.Op{Kind: blocker.List, Name: prefix, After: after, Data: make([]byte, size)})
	err := blocker.Names(op.Data[:op.N], func(name string) error {
		names = append(names, name)
		return nil
	})
	if err != nil {
		f.Error(err)
	}
	return names, op.More
}

// names lists all names with that prefix, in pages of a moderate size.
func (f *fixture) names(prefix string) []string { return f.pages(prefix, 4096) }

func (f *fixture) pages(prefix string, size int) (all []string) {
	f.Helper()
	for after := ""; ; {
		names, more := f.page(prefix, after, size)
		all = append(all, names...)
		if !more {
			return all
		}
		if len(names) == 0 {
			f.Fatal("a page without names that isn't the last")
		}
		after = names[len(names)-1]
	}
}

func withPrefix(names []string, prefix string) (some []string) {
	for _, n := range names {
		if strings.HasPrefix(n, prefix) {
			some = append(some, n)
		}
	}
	slices.Sort(some)
	return some
}

func testList(t *testing.T, f *fixture) {
	if names, more := f.page("", "", 100); len(names) != 0 || more {
		t.Errorf("an empty store lists %q, more %v", names, more)
	}
	for _, name := range listed {
		f.write(name, 0, []byte{1})
	}
	f.must(&blocker.Op{Kind: blocker.LockAdvance, Name: "l/chain", Data: []byte("owner")})
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "v/", "v/vol1", "c/0b5c", "c/ffffffff-0000-4000-8000-000000000001/",
		"0b5c1d7e-0000-4000-8000-000000000001/1/", "t/", "l/", "none", "h/store", "h/store/"} {
		if got, want := f.names(prefix), withPrefix(listed, prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q:\n got %q\nwant %q", prefix, got, want)
		}
	}
	f.must(&blocker.Op{Kind: blocker.Delete, Name: "a/b/c"})
	if slices.Contains(f.names(""), "a/b/c") {
		t.Error("a deleted name is listed")
	}
}

func testListPages(t *testing.T, f *fixture) {
	for _, name := range listed {
		f.write(name, 0, []byte{1})
	}
	for _, size := range []int{64, 100, 150, 1000} {
		for _, prefix := range []string{"", "v/", "c/"} {
			if got, want := f.pages(prefix, size), withPrefix(listed, prefix); !slices.Equal(got, want) {
				t.Errorf("pages of %d, prefix %q:\n got %q\nwant %q", size, prefix, got, want)
			}
		}
	}
	all := withPrefix(listed, "")
	for _, after := range append([]string{"a/b", "a/", "v", "v/vol1z", "zzz"}, all...) {
		got, _ := f.page("", after, 1<<16)
		var want []string
		for _, n := range all {
			if n > after {
				want = append(want, n)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %q:\n got %q\nwant %q", after, got, want)
		}
	}
	f.fails(blocker.ErrArgument, &blocker.Op{Kind: blocker.List, Data: make([]byte, 3)})
}

// testListRace lists by pages while other names come and go: those that stay are seen once each.
func testListRace(t *testing.T, f *fixture) {
	var stay []string
	for i := range 60 {
		stay = append(stay, fmt.Sprintf("v/stay%02d", i))
		f.write(stay[i], 0, []byte{1})
	}
	var done atomic.Bool
	parallel(2, func(i int) {
		if i == 1 {
			for n := 0; !done.Load(); n++ {
				name := fmt.Sprintf("v/go%02d", n%50)
				f.write(name, 0, []byte{1})
				f.must(&blocker.Op{Kind: blocker.Delete, Name: name})
			}
			return
		}
		defer done.Store(true)
		for range 20 {
			if got := withPrefix(f.pages("v/", 200), "v/stay"); !slices.Equal(got, stay) {
				t.Errorf("listed %q", got)
			}
		}
	})
}
