package mapfmt

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func opID(n int) OpID { return OpID{byte(n), 1} }

func TestRecordOps(t *testing.T) {
	r := &Record{Creator: opID(100)}
	for i := range 20 {
		r.NoteOp(opID(i))
	}
	if len(r.Ops) != KeptOps || r.HasOp(opID(3)) || !r.HasOp(opID(4)) || !r.HasOp(opID(19)) {
		t.Errorf("kept %d: %x", len(r.Ops), r.Ops)
	}
	before := r.Clone()
	r.NoteOp(opID(19))
	r.NoteOp(opID(100))
	r.NoteOp(OpID{})
	if !reflect.DeepEqual(before, r) {
		t.Errorf("a known id, the creator's or none changed the ids: %x", r.Ops)
	}
	if !r.HasOp(opID(100)) || r.HasOp(OpID{}) || (&Record{}).HasOp(OpID{}) {
		t.Error("HasOp")
	}
	tomb := &Tombstone{Op: opID(50), Record: r}
	if !tomb.HasOp(opID(50)) || !tomb.HasOp(opID(19)) || tomb.HasOp(opID(3)) || tomb.HasOp(OpID{}) {
		t.Error("Tombstone.HasOp")
	}
}

func TestRecordMarks(t *testing.T) {
	r := sampleRecord()
	r.SetMark(Mark{Flag: FlagPending, Name: "snap"})
	r.SetMark(Mark{Flag: FlagPending, Name: "other"})
	if m, ok := r.Mark(FlagPending); !ok || m.Name != "other" || len(r.Marks) != 2 {
		t.Errorf("%+v", r.Marks)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	r.ClearMark(FlagPending)
	if _, ok := r.Mark(FlagPending); ok || r.Flags&FlagPending != 0 {
		t.Errorf("%+v, flags %#x", r.Marks, r.Flags)
	}
}

func TestRecordCloneSharesNothing(t *testing.T) {
	r, want := sampleRecord(), sampleRecord()
	c := r.Clone()
	c.Ops[0], c.Marks[0].Name, c.Origins[0].Name, c.Table[0].Epoch = OpID{}, "x", "x", 1
	c.NoteOp(opID(1))
	if !reflect.DeepEqual(r, want) {
		t.Error("the original has changed")
	}
}

func TestRecordOrigins(t *testing.T) {
	var r Record
	if _, ok := r.Origin(); ok {
		t.Error("an origin without one")
	}
	if n := r.AddOrigin(Origin{Name: "a"}); n != 0 {
		t.Errorf("first origin has number %d", n)
	}
	if n := r.AddOrigin(Origin{Name: "b"}); n != 1 {
		t.Errorf("second origin has number %d", n)
	}
	if o, ok := r.Origin(); !ok || o.Name != "b" {
		t.Errorf("%+v", o)
	}
}

// TestRecordRefused: each broken rule is refused when written, naming it, and when read.
func TestRecordRefused(t *testing.T) {
	for want, spoil := range map[string]func(*Record){
		"no UUID":             func(r *Record) { r.UUID = UUID{} },
		"power of two":        func(r *Record) { r.ObjectSize = 3 << 20 },
		"multiple of 512":     func(r *Record) { r.Size++ },
		"table of 3 rows":     func(r *Record) { r.Size = 1 << 20 },
		"17 operation ids":    func(r *Record) { r.Ops = make([]OpID, 17) },
		"unknown flags 0x100": func(r *Record) { r.Flags |= 256 },
		"flags 0x7, but":      func(r *Record) { r.Marks = nil; r.Flags = 7 },
		"mark with flag 0x3":  func(r *Record) { r.Marks[0].Flag = 3 },
		"two marks":           func(r *Record) { r.Marks = append(r.Marks, r.Marks[0]) },
		"name of 129 bytes":   func(r *Record) { r.Marks[0].Name = strings.Repeat("x", 129) },
		"with offset -1":      func(r *Record) { r.Marks[0].Offset = -1 },
		"has unknown flags":   func(r *Record) { r.Origins[0].Flags = 128 },
		"a name of 257":       func(r *Record) { r.Origins[0].Name = strings.Repeat("x", 257) },
		"65536 origins":       func(r *Record) { r.Origins = make([]Origin, 65536) },
	} {
		r := sampleRecord()
		spoil(r)
		if _, err := EncodeRecord(r); !errors.Is(err, ErrArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestRecordLargest: the largest record that can be is written and read, and fits one request.
func TestRecordLargest(t *testing.T) {
	r := &Record{UUID: UUID{1}, Size: MaxVolumeSize, ObjectSize: MinObjectSize, Creator: opID(1)}
	for i := range PageChunks {
		r.Table = append(r.Table, Owner{UUID{1, byte(i), byte(i >> 8)}, math.MaxUint64})
	}
	data, err := EncodeRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRecord(data)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read back: %v", err)
	}
	if !r.IsPaged() || len(data) > 128<<10 {
		t.Errorf("paged %v, %d bytes", r.IsPaged(), len(data))
	}
}

func TestOthersRefused(t *testing.T) {
	long := strings.Repeat("n", NodeNameMax+1)
	_, lock := EncodeLock(&LockContent{Node: long})
	_, lease := EncodeLease(&Lease{Node: long})
	_, tomb := EncodeTombstone(&Tombstone{Name: "a/b", Record: sampleRecord()})
	for i, err := range []error{lock, lease, tomb} {
		if !errors.Is(err, ErrName) {
			t.Errorf("%d: %v", i, err)
		}
	}
	_, mode := EncodeLock(&LockContent{Node: "n", Mode: lockModes})
	_, address := EncodeLock(&LockContent{Node: "n", Address: strings.Repeat("a", lockAddressMax+1)})
	_, id := EncodeStoreHeader(&StoreHeader{Nodes: NodesSingle})
	_, nodes := EncodeStoreHeader(&StoreHeader{ID: UUID{1}, Nodes: 3})
	_, _, chunk := EncodeChunk(ChunkID{Owner: UUID{1}, No: -1}, 4<<20, 1, &Chunk{})
	_, _, size := EncodeChunk(testChunkID, 5, 1, &Chunk{})
	for i, err := range []error{mode, address, id, nodes, chunk, size} {
		if !errors.Is(err, ErrArgument) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
