package remote_test

import (
	"bytes"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
)

// The fuzz targets hold that no bytes crash a decoder, and that what it takes for good is what the
// encoder makes of it again.

func FuzzEntry(f *testing.F) {
	b := make([]byte, remote.EntryBytes)
	for n := range uint64(3) {
		e := entry(n)
		remote.PutEntry(b, &e)
		f.Add(bytes.Clone(b))
	}
	f.Add(b[:3])
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again mapfmt.Entry
		if remote.Entry(data, &e) != nil {
			return
		}
		b := make([]byte, remote.EntryBytes)
		remote.PutEntry(b, &e)
		if err := remote.Entry(b, &again); err != nil || e != again {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}

func FuzzInfo(f *testing.F) {
	b := make([]byte, remote.InfoBytes)
	remote.PutInfo(b, &info)
	f.Add(b)
	f.Add(b[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := remote.Info(data, "v")
		if err != nil {
			return
		}
		b := make([]byte, remote.InfoBytes)
		remote.PutInfo(b, &i)
		if again, err := remote.Info(b, "v"); err != nil || i != again {
			t.Fatalf("%+v became %+v, %v", i, again, err)
		}
	})
}

func FuzzNameArgs(f *testing.F) {
	b := make([]byte, remote.NameArgsBytes)
	remote.PutNameArgs(b, "name")
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		name, err := remote.NameArgs(data)
		if err == nil && mapfmt.CheckVolumeName(name) != nil {
			t.Fatalf("took %q", name)
		}
	})
}

func FuzzCloneArgs(f *testing.F) {
	b := make([]byte, remote.CloneArgsBytes)
	remote.PutCloneArgs(b, remote.CloneArgs{Origin: "s", Size: 1 << 40, ObjectSize: 1 << 22})
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := remote.ParseCloneArgs(data)
		if err != nil {
			return
		}
		if a.Size < 0 || a.ObjectSize < 0 || a.Origin != "" && mapfmt.CheckVolumeName(a.Origin) != nil {
			t.Fatalf("took %+v", a)
		}
		b := make([]byte, remote.CloneArgsBytes)
		remote.PutCloneArgs(b, a)
		if again, err := remote.ParseCloneArgs(b); err != nil || a != again {
			t.Fatalf("%+v became %+v, %v", a, again, err)
		}
	})
}

func TestErrorOfSuccess(t *testing.T) {
	if err := remote.Error(0, []byte("text")); err != nil {
		t.Fatal(err)
	}
	var e error = mapper.ErrBusy
	if got := remote.Error(mapper.ErrBusy.Errno(), nil); got != e {
		t.Fatalf("%v", got)
	}
}
