package filed

import (
	"bytes"
	"testing"

	"archipelago/peers/blocker"
)

// TestFillCached: a write and what lies around it are served at once where the copy would be.
func TestFillCached(t *testing.T) {
	s := open(t, nil)
	const n = 64 << 10
	data := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "from", Data: data, Offset: n})
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "to", Data: []byte{1}})
	fill := func(from int64) *blocker.Op {
		return &blocker.Op{Kind: blocker.Fill, Name: "to", Source: "from", SourceOffset: from, Length: n,
			Offset: from + 4096, Data: []byte("new")}
	}
	if op := fill(0); s.quick(op) {
		t.Error("a fill around a hole is served at once")
	}
	op := fill(n)
	if !s.quick(op) || op.Err != nil || op.N != 3 {
		t.Fatalf("a fill with cached data isn't served at once: N %d, %v", op.N, op.Err)
	}
	copy(data[4096:], "new")
	got := make([]byte, n)
	do(t, s, &blocker.Op{Kind: blocker.Read, Name: "to", Data: got, Offset: n})
	if !bytes.Equal(got, data) {
		t.Error("filled with something else")
	}
}

// TestCopyCached: a short copy of cached data is served at once; what would fill a hole, or has to
// wait for anything, isn't.
func TestCopyCached(t *testing.T) {
	s := open(t, nil)
	const n = 32 << 10
	data := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "from", Data: data})
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "from", Data: data, Offset: 4 * n})
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "to", Data: []byte{1}})
	for _, c := range []struct {
		what     string
		to       string
		from     int64
		length   int64
		flags    blocker.Flags
		want     bool
		wantData []byte
	}{
		{"data", "to", 0, n, 0, true, data},
		{"a part of it", "to", 4096, n / 2, 0, true, data[4096 : 4096+n/2]},
		{"a hole in it", "to", 3 * n, 2 * n, 0, false, nil},
		{"behind the end", "to", 4*n + n/2, n, 0, false, nil},
		{"to an object that isn't there", "other", 0, n, 0, false, nil},
		{"to be durable", "to", 0, n, blocker.FlagFUA, false, nil},
		{"too long", "from2", 0, inlineMax + 1, 0, false, nil},
	} {
		op := blocker.Op{Kind: blocker.Copy, Name: c.to, Source: "from", SourceOffset: c.from, Offset: 7 * n,
			Length: c.length, Flags: c.flags}
		if got := s.quick(&op); got != c.want || op.Err != nil {
			t.Errorf("%s: served at once: %v, %v", c.what, got, op.Err)
			continue
		}
		if !c.want {
			continue
		}
		got := make([]byte, c.length)
		do(t, s, &blocker.Op{Kind: blocker.Read, Name: c.to, Data: got, Offset: 7 * n})
		if !bytes.Equal(got, c.wantData) {
			t.Errorf("%s: copied something else", c.what)
		}
	}
}
