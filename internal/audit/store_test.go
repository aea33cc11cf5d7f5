package audit

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
)

const testObject = 64 << 10

// fixture is a store in which a volume has a snapshot, which has a clone, and everything is right.
type fixture struct {
	t            testing.TB
	maps, blocks *memstore.Store
	v, s, c      *mapfmt.Record
	old, own     mapfmt.Level // objects of v: of epoch 1, shared, and of epoch 2
}

func id(n byte) (u mapfmt.UUID) {
	u[0], u[15] = n, n
	return u
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, maps: memstore.New(), blocks: memstore.New()}
	f.old = mapfmt.Level{UUID: id(1), Epoch: 1, Birth: 11, Mask: mapfmt.FullMask}
	f.own = mapfmt.Level{UUID: id(1), Epoch: 2, Birth: 12, Mask: 1}
	header, err := mapfmt.EncodeStoreHeader(&mapfmt.StoreHeader{ID: id(99), Nodes: mapfmt.NodesSingle})
	f.put(mapfmt.StoreHeaderName, header, err)
	row := []mapfmt.Owner{{UUID: id(1), Epoch: 1}}
	f.v = &mapfmt.Record{UUID: id(1), Size: 4 * testObject, ObjectSize: testObject, Epoch: 2,
		Table: []mapfmt.Owner{{UUID: id(1), Epoch: 2}}}
	f.s = &mapfmt.Record{UUID: id(2), Size: 4 * testObject, ObjectSize: testObject, Epoch: 1,
		Flags: mapfmt.FlagReadOnly, Table: row}
	f.c = &mapfmt.Record{UUID: id(3), Size: 4 * testObject, ObjectSize: testObject, Epoch: 1, Table: row}
	f.record("v", f.v)
	f.record("s", f.s)
	f.record("c", f.c)
	f.chunk(f.v.Table[0].At(0), 3, mapfmt.Entry{NumLevels: 2, Levels: [4]mapfmt.Level{f.own, f.old}})
	f.chunk(row[0].At(0), 3, mapfmt.Entry{NumLevels: 1, Levels: [4]mapfmt.Level{f.old}})
	f.object(f.old, 3)
	f.object(f.own, 3)
	f.lock(id(1))
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) put(name string, data []byte, err error) {
	f.t.Helper()
	f.must(err)
	f.must(blocker.Do(f.maps, &blocker.Op{Kind: blocker.Replace, Name: name, Data: data}))
}

func (f *fixture) record(name string, r *mapfmt.Record) {
	f.t.Helper()
	data, err := mapfmt.EncodeRecord(r)
	f.put(mapfmt.RecordName(name), data, err)
}

func (f *fixture) tombstone(name string, r *mapfmt.Record) {
	f.t.Helper()
	data, err := mapfmt.EncodeTombstone(&mapfmt.Tombstone{Name: name, Record: r})
	f.put(mapfmt.TombstoneName(r.UUID, r.Epoch), data, err)
}

func (f *fixture) group(state mapfmt.GroupState, members ...string) {
	f.t.Helper()
	data, err := mapfmt.EncodeGroup(&mapfmt.Group{ID: id(6), State: state, Members: members})
	f.put(mapfmt.GroupName(id(6)), data, err)
}

func (f *fixture) chunk(at mapfmt.ChunkID, index int, e mapfmt.Entry) {
	f.t.Helper()
	var c mapfmt.Chunk
	f.must(c.Set(index, &e))
	data, _, err := mapfmt.EncodeChunk(at, testObject, 7, &c)
	f.put(mapfmt.ChunkName(at), data, err)
}

func (f *fixture) object(l mapfmt.Level, index int64) string {
	f.t.Helper()
	name := mapfmt.ObjectName(mapfmt.ObjectOf(index, l))
	f.must(blocker.Do(f.blocks, &blocker.Op{Kind: blocker.Write, Name: name, Data: make([]byte, 4096)}))
	return name
}

func (f *fixture) lock(u mapfmt.UUID) {
	f.t.Helper()
	data, err := mapfmt.EncodeLock(&mapfmt.LockContent{Node: "n1", Mode: mapfmt.LockImplicit})
	f.must(err)
	f.must(blocker.Do(f.maps, &blocker.Op{Kind: blocker.LockAdvance, Name: mapfmt.LockName(u), Data: data}))
}

func (f *fixture) remove(s blocker.Store, name string) {
	f.t.Helper()
	f.must(blocker.Do(s, &blocker.Op{Kind: blocker.Delete, Flags: blocker.FlagFUA, Name: name}))
}

// damage changes a byte of an object of the map store.
func (f *fixture) damage(name string) {
	f.t.Helper()
	f.must(blocker.Do(f.maps, &blocker.Op{Kind: blocker.Write, Name: name, Offset: 40, Data: []byte{0xee}}))
}

// check returns the findings in the order of their texts.
func (f *fixture) check(o Options) ([]Finding, Summary) {
	f.t.Helper()
	var all []Finding
	o.Maps, o.Blocks = f.maps, f.blocks
	o.Report = func(x Finding) { all = append(all, x) }
	sum, err := Check(context.Background(), o)
	f.must(err)
	slices.SortFunc(all, func(a, b Finding) int {
		return int(a.Severity) - int(b.Severity) + 10*cmpText(a.String(), b.String())
	})
	return all, sum
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func texts(all []Finding) (s string) {
	for _, x := range all {
		s += fmt.Sprintln(x)
	}
	return s
}
