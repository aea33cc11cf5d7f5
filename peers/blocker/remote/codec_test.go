package remote

import (
	"bytes"
	"testing"

	"archipelago/peers/blocker"
)

func FuzzCopyArgs(f *testing.F) {
	good := make([]byte, copyArgsSize)
	putCopyArgs(good, &blocker.Op{Source: "a/b", SourceOffset: 7})
	f.Add(good)
	f.Add(good[:100])
	f.Add(bytes.Repeat([]byte{255}, copyArgsSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		var op blocker.Op
		if getCopyArgs(data, &op) != nil {
			return
		}
		again, got := make([]byte, copyArgsSize), blocker.Op{}
		putCopyArgs(again, &op)
		if err := getCopyArgs(again, &got); err != nil || got.Source != op.Source || got.SourceOffset != op.SourceOffset {
			t.Fatalf("%+v became %+v: %v", op, got, err)
		}
	})
}
