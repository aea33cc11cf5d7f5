package vlmcd

import (
	"testing"

	"archipelago/internal/mapfmt"
	volumes "archipelago/internal/volume"
	mappers "archipelago/peers/mapper/remote"
)

func FuzzDecodeChange(f *testing.F) {
	name, none := make([]byte, mappers.NameArgsBytes), make([]byte, mappers.NameArgsBytes)
	mappers.PutNameArgs(name, "s")
	inline := make([]byte, volumes.MemberBytes)
	a := volumes.MemberArgs{Token: 5}
	a.Members, a.Group = 2, [16]byte{1}
	volumes.PutMemberArgs(inline, a)
	for _, data := range [][]byte{name, none, name[:100], nil} {
		for _, kind := range []Kind{Snapshot, Rename, Rollback, Resize} {
			f.Add(byte(kind), data, inline, int64(512))
			f.Add(byte(kind), data, inline[:24], int64(513))
			f.Add(byte(kind), data, []byte{}, int64(-1))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, data, inline []byte, length int64) {
		op := Op{Kind: Kind(kind), Length: length}
		if decodeChange(&op, data, inline) != nil {
			return
		}
		switch op.Kind {
		case Snapshot, Rename, Rollback:
			if mapfmt.CheckVolumeName(op.Other) != nil {
				t.Fatalf("took the name %q", op.Other)
			}
			if (op.Members != 0) != (op.Token != 0) {
				t.Fatalf("took %d members with the token %d", op.Members, op.Token)
			}
		case Thaw:
			if op.Token == 0 {
				t.Fatal("thaw of nothing")
			}
		case Resize:
			if mapfmt.CheckVolumeSize(op.Size) != nil {
				t.Fatalf("took the size %d", op.Size)
			}
		}
	})
}
