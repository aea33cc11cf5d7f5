package volume

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

func TestChanges(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{}), testContext(t)
	n.volume(t, c, "b1", 1<<20)
	if _, err := c.Snapshot(ctx, "b1", "s"); err != nil {
		t.Fatal(err)
	}
	if info, err := c.Rename(ctx, "b1", "b2"); err != nil || info.Name != "b2" {
		t.Errorf("rename: %+v, %v", info, err)
	}
	if info, err := c.Resize(ctx, "b2", 2<<20); err != nil || info.Name != "b2" || info.Size != 2<<20 {
		t.Errorf("resize: %+v, %v", info, err)
	}
	if info, err := c.Rollback(ctx, "b2", "s"); err != nil || info.Size != 1<<20 {
		t.Errorf("rollback: %+v, %v", info, err)
	}
	_, gone := c.Rename(ctx, "b1", "b3")
	_, badName := c.Rename(ctx, "b2", "a b")
	_, badSnap := c.Rollback(ctx, "b2", "-x")
	_, badSize := c.Resize(ctx, "b2", 1000)
	for _, e := range []struct {
		err, want error
		text      string
	}{
		{gone, mapper.ErrNotFound, "volume b1: rename to b3"}, {badName, mapper.ErrName, "a b"},
		{badSnap, mapper.ErrName, "-x"}, {badSize, mapper.ErrArgument, "512"},
	} {
		if !errors.Is(e.err, e.want) || !strings.Contains(e.err.Error(), e.text) {
			t.Errorf("%v, want %v with %q", e.err, e.want, e.text)
		}
	}
}

// TestGroup: every volume is frozen before a snapshot is made, and the snapshots are real only when
// all of them are there.
func TestGroup(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{}), testContext(t)
	for _, name := range []string{"a1", "b1", "b2"} {
		n.volume(t, c, name, 1<<20)
	}
	infos, err := c.SnapshotGroup(ctx, []Member{{"a1", "sa"}, {"b1", "sb"}, {"b2", "sc"}})
	if err != nil || len(infos) != 3 || infos[0].Name != "sa" || infos[2].Name != "sc" {
		t.Fatalf("%+v, %v", infos, err)
	}
	want := "freeze freeze freeze snapshot snapshot snapshot group3"
	if got := strings.Join(n.groupSteps(), " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, x := range []struct {
		members []Member
		want    error
		steps   string // without an order
	}{
		{[]Member{{"a1", "s1"}, {"none", "s2"}}, mapper.ErrNotFound, ""},
		{[]Member{{"a1", "s1"}, {"a1", "s2"}}, mapper.ErrArgument, ""},
		{[]Member{{"a1", "s1"}, {"b1", "s1"}}, mapper.ErrArgument, ""},
		{[]Member{{"a1", "s1"}, {"b1", "-"}}, mapper.ErrName, ""},
		{nil, mapper.ErrArgument, ""},
		{[]Member{{"a1", "s1"}, {"b1", "sb"}}, mapper.ErrExists, "freeze freeze snapshot group0 thaw thaw"},
	} {
		if _, err := c.SnapshotGroup(ctx, x.members); !errors.Is(err, x.want) {
			t.Errorf("%v: %v, want %v", x.members, err, x.want)
		}
		if got := strings.Join(n.groupSteps(), " "); got != x.steps {
			t.Errorf("%v: %q, want %q", x.members, got, x.steps)
		}
	}
	// A freeze that has ended: all begins again, with another group.
	n.stale.Store(2)
	if _, err := c.SnapshotGroup(ctx, []Member{{"a1", "t1"}}); err != nil {
		t.Error(err)
	}
	n.groupSteps()
	n.stale.Store(100)
	if _, err := c.SnapshotGroup(ctx, []Member{{"a1", "t2"}}); !errors.Is(err, mapper.ErrStale) {
		t.Errorf("always stale: %v", err)
	}
	if got := strings.Count(strings.Join(n.groupSteps(), " "), "freeze"); got != groupTries {
		t.Errorf("%d tries", got)
	}
}

func TestUsageDiffMap(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{}), testContext(t)
	n.volume(t, c, "a1", 5000<<22)
	if u, err := c.Usage(ctx, "a1"); err != nil || u != (mapper.Usage{Allocated: 1, Exclusive: 2, Shared: 3, Objects: 4}) {
		t.Errorf("usage: %+v, %v", u, err)
	}
	var at []int64
	err := c.Map(ctx, "a1", func(index int64, e *mapfmt.Entry) error {
		if e.NumLevels != 1 || e.Levels[0].Birth != uint64(index) {
			t.Errorf("object %d: %+v", index, e)
		}
		at = append(at, index)
		return nil
	})
	if err != nil || fmt.Sprint(at) != "[0 1000 2000 3000 4000]" {
		t.Errorf("map: %v, %v", at, err)
	}
	var got []int64
	err = c.Diff(ctx, "a1", "a1", func(r mapper.Range) error { got = append(got, r.Offset); return nil })
	if err != nil || fmt.Sprint(got) != "[0 10 20 30]" {
		t.Errorf("diff: %v, %v", got, err)
	}
	stop := errors.New("enough")
	if err := c.Diff(ctx, "a1", "a1", func(mapper.Range) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("diff: %v", err)
	}
	if err := c.Map(ctx, "a1", func(int64, *mapfmt.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("map: %v", err)
	}
	n.endless.Store(true)
	if err := c.Diff(ctx, "a1", "a1", func(mapper.Range) error { return nil }); !errors.Is(err, ErrReply) {
		t.Errorf("a diff that doesn't get on: %v", err)
	}
}

func TestFlatten(t *testing.T) {
	n := newNode(t)
	c, ctx := n.dial(t, Options{}), testContext(t)
	v := n.volume(t, c, "b1", 100<<20)
	var done, copied int64
	got, err := v.Flatten(ctx, FlattenOptions{Progress: func(d, c int64) { done += d; copied += c }})
	if err != nil || got != 50<<20 || done != 100<<20 || copied != got {
		t.Errorf("%d copied, told of %d and %d, %v", got, done, copied, err)
	}
	// A slow one can be ended, and does little by then.
	ctx, cancel := context.WithCancel(ctx)
	var last time.Time
	got, err = v.Flatten(ctx, FlattenOptions{BytesPerSecond: 100 << 20, Progress: func(d, c int64) {
		now := time.Now()
		if !last.IsZero() && now.Sub(last) < 5*time.Millisecond {
			t.Errorf("2 MiB in %v, at 100 MiB/s", now.Sub(last))
		}
		if last = now; d != 4<<20 {
			t.Errorf("%d bytes at once", d)
		}
		if done += d; done > 120<<20 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || got == 0 || got > 20<<20 {
		t.Errorf("%d copied, %v", got, err)
	}
	n.errno.Store(uint32(syscall.ENOSPC))
	if _, err := v.Flatten(testContext(t), FlattenOptions{}); !errors.Is(err, mapper.ErrNoSpace) {
		t.Errorf("full: %v", err)
	}
}

func FuzzMemberArgs(f *testing.F) {
	b := make([]byte, MemberBytes)
	a := MemberArgs{Token: 3}
	a.Members, a.Group = 2, [16]byte{5}
	PutMemberArgs(b, a)
	f.Add(b)
	f.Add(b[:MemberBytes-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseMemberArgs(b)
		if err != nil || len(b) == 0 {
			return
		}
		again := make([]byte, MemberBytes)
		PutMemberArgs(again, a)
		if x, err := ParseMemberArgs(again); err != nil || x != a || a.Members == 0 {
			t.Fatalf("%+v became %+v, %v", a, x, err)
		}
	})
}

func FuzzRanges(f *testing.F) {
	f.Add(make([]byte, 24), uint64(1))
	f.Add(make([]byte, 24), uint64(1<<60))
	f.Fuzz(func(t *testing.T, b []byte, n uint64) {
		page, err := ranges(b, n)
		if err == nil && uint64(len(page)) != n {
			t.Fatalf("%d ranges of %d", len(page), n)
		}
	})
}
