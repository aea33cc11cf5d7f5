package blockertest

import (
	"strings"
	"testing"

	"archipelago/peers/blocker"
)

func testNames(_ *testing.T, f *fixture) {
	for _, name := range []string{
		"x", "v/vol-1_a.b:c@d+e", "0/1/2/3/4/5", strings.Repeat("n", blocker.NameMax),
		"v/" + strings.Repeat("n", 128),
	} {
		f.write(name, 0, []byte(name))
		f.holds(name, []byte(name))
	}
	for _, name := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/..", "a/../b", ".a", "a/.b", "a b", "a\x00b", "ä", "a=b", "=ab/x", "a\nb",
		strings.Repeat("n", blocker.NameMax+1),
	} {
		for kind := blocker.Read; kind <= blocker.LockAdvance; kind++ {
			if kind == blocker.List || kind == blocker.Sync && name == "" {
				continue
			}
			f.fails(blocker.ErrName, &blocker.Op{Kind: kind, Name: name, Source: "x", Data: make([]byte, 8)})
		}
		f.fails(blocker.ErrName, &blocker.Op{Kind: blocker.Copy, Name: "ok", Source: name, Length: 1})
		f.fails(blocker.ErrName, &blocker.Op{Kind: blocker.Fill, Name: "ok", Source: name, Length: 1})
	}
	f.fails(blocker.ErrName, &blocker.Op{Kind: blocker.List, Name: "a b", Data: make([]byte, 100)})
	f.fails(blocker.ErrName, &blocker.Op{Kind: blocker.List, After: "a b", Data: make([]byte, 100)})
}

func testArguments(_ *testing.T, f *fixture) {
	f.write("x", 0, []byte{1})
	one := make([]byte, 1)
	over := make([]byte, blocker.MaxAtomic+1)
	const far = int64(1) << 62
	for _, op := range []*blocker.Op{
		{Kind: 0, Name: "x"},
		{Kind: blocker.LockAdvance + 1, Name: "x"},
		{Kind: 200, Name: "x"},
		{Kind: blocker.Read, Name: "x", Offset: -1, Data: one},
		{Kind: blocker.Read, Name: "x", Offset: far, Data: one},
		{Kind: blocker.Write, Name: "x", Offset: -1, Data: one},
		{Kind: blocker.Write, Name: "x", Offset: blocker.MaxObject, Data: one},
		{Kind: blocker.WriteZeroes, Name: "x", Length: -1},
		{Kind: blocker.WriteZeroes, Name: "x", Offset: far, Length: far},
		{Kind: blocker.WriteZeroes, Name: "x", Offset: 1, Length: blocker.MaxObject},
		{Kind: blocker.Discard, Name: "x", Offset: -1, Length: 1},
		{Kind: blocker.Discard, Name: "x", Offset: 1, Length: far + (far - 1)},
		{Kind: blocker.Copy, Name: "x", Source: "x", Length: 1},
		{Kind: blocker.Copy, Name: "y", Source: "x", Length: -1},
		{Kind: blocker.Copy, Name: "y", Source: "x", SourceOffset: -1, Length: 1},
		{Kind: blocker.Copy, Name: "y", Source: "x", Offset: -1, Length: 1},
		{Kind: blocker.Copy, Name: "y", Source: "x", SourceOffset: far, Length: far},
		{Kind: blocker.Fill, Name: "x", Source: "x", Length: 1, Data: one},
		{Kind: blocker.Fill, Name: "y", Source: "x", Data: one},
		{Kind: blocker.Fill, Name: "y", Source: "x", Offset: 4, SourceOffset: 5, Length: 5, Data: one},
		{Kind: blocker.Fill, Name: "y", Source: "x", Offset: 5, Length: 5, Data: one},
		{Kind: blocker.Fill, Name: "y", Source: "x", SourceOffset: 5, Length: -1},
		{Kind: blocker.Fill, Name: "y", Source: "x", Offset: far, SourceOffset: far, Length: far, Data: one},
		{Kind: blocker.Append, Name: "x", Offset: -1, Data: one},
		{Kind: blocker.TruncateTail, Name: "x", Offset: -1},
		{Kind: blocker.Create, Name: "z", Data: over},
		{Kind: blocker.Replace, Name: "z", Data: over},
		{Kind: blocker.Append, Name: "x", Offset: 1, Data: over},
	} {
		f.fails(blocker.ErrArgument, op)
	}
	f.holds("x", []byte{1})
	f.missing("z")
	f.missing("y")
}

func testErrorNames(t *testing.T, f *fixture) {
	const name = "some/object-7"
	f.write("exists", 0, []byte{1})
	for _, op := range []*blocker.Op{
		{Kind: blocker.Read, Name: name, Data: make([]byte, 1)},
		{Kind: blocker.Stat, Name: name},
		{Kind: blocker.Delete, Name: name},
		{Kind: blocker.Append, Name: name},
		{Kind: blocker.TruncateTail, Name: name},
	} {
		f.fails(blocker.ErrNotFound, op)
		if op.Err != nil && !strings.Contains(op.Err.Error(), name) {
			t.Errorf("%s: %q doesn't name the object", describe(op), op.Err)
		}
	}
}
