package remote_test

import (
	"testing"

	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
)

func FuzzGroupArgs(f *testing.F) {
	b := make([]byte, remote.GroupArgsBytes)
	remote.PutGroupArgs(b, remote.GroupArgs{Group: [16]byte{1}, Members: 3})
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := remote.ParseGroupArgs(data)
		if err != nil {
			return
		}
		b := make([]byte, remote.GroupArgsBytes)
		remote.PutGroupArgs(b, a)
		if again, err := remote.ParseGroupArgs(b); err != nil || a != again || a.Members > remote.MaxMembers {
			t.Fatalf("%+v became %+v, %v", a, again, err)
		}
	})
}

// FuzzResults: usage, ranges and the end of a page of them.
func FuzzResults(f *testing.F) {
	b := make([]byte, remote.UsageBytes)
	remote.PutUsage(b, mapper.Usage{Allocated: 1 << 40, Exclusive: 1, Shared: 2, Objects: 3})
	f.Add(b)
	b = make([]byte, remote.RangeBytes)
	remote.PutRange(b, mapper.Range{Offset: 1 << 50, Length: 1, Kind: mapper.RangeZero})
	f.Add(b)
	b = make([]byte, remote.DiffNextBytes)
	remote.PutDiffNext(b, 1<<40, true)
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		b := make([]byte, remote.UsageBytes)
		if u, err := remote.Usage(data); err == nil {
			remote.PutUsage(b, u)
			if again, err := remote.Usage(b); err != nil || u != again {
				t.Fatalf("%+v became %+v, %v", u, again, err)
			}
		}
		if r, err := remote.Range(data); err == nil {
			remote.PutRange(b, r)
			if again, err := remote.Range(b); err != nil || r != again || r.Length <= 0 || r.Offset < 0 {
				t.Fatalf("%+v became %+v, %v", r, again, err)
			}
		}
		if n, more, err := remote.DiffNext(data); err == nil {
			remote.PutDiffNext(b, n, more)
			if n2, more2, err := remote.DiffNext(b); err != nil || n != n2 || more != more2 {
				t.Fatalf("%d, %v became %d, %v, %v", n, more, n2, more2, err)
			}
		}
	})
}
