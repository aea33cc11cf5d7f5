package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/filed"
	"archipelago/peers/mapper"
	"archipelago/peers/mapperd"
)

// mapStore is a pair of stores in files, and an engine over them, in this process: what is measured
// is maps and the file system, not the way through a segment.
type mapStore struct {
	*mapperd.Engine
	dir, pending string
	maps, blocks *filed.Store
}

// newMapStore makes an empty store under dir.
func newMapStore(dir string) (s *mapStore, err error) {
	s = &mapStore{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	// The name under which leftovers of a killed run are reaped.
	if s.dir, err = os.MkdirTemp(dir, "archip-test-"); err != nil {
		return s, err
	}
	// In shared memory, as in production: a log is no file on a disk.
	if s.pending, err = os.MkdirTemp("/dev/shm", "archip-test-"); err != nil {
		return s, err
	}
	if s.maps, err = s.openFiles("maps"); err != nil {
		return s, err
	}
	if s.blocks, err = s.openFiles("blocks"); err != nil {
		return s, err
	}
	return s, s.start(time.Hour)
}

func (s *mapStore) openFiles(name string) (*filed.Store, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return filed.Open(filed.Options{Dir: dir, Owner: name})
}

// start makes the engine, or a new one. Nothing is flushed unasked: what is measured does it all.
func (s *mapStore) start(idleAfter time.Duration) (err error) {
	if s.Engine != nil {
		err = s.Engine.Close()
	}
	if err == nil {
		s.Engine, err = mapperd.New(mapperd.Config{
			Maps: s.maps, Blocks: s.blocks, PendingDir: s.pending, Node: "bench", BootID: [16]byte{1},
			FlushAfter: time.Hour, IdleAfter: idleAfter,
		})
	}
	return err
}

// close ends everything and removes it.
func (s *mapStore) close() error {
	var errs []error
	if s.Engine != nil {
		errs = append(errs, s.Engine.Close())
	}
	for _, f := range []*filed.Store{s.maps, s.blocks} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	for _, dir := range []string{s.dir, s.pending} {
		if dir != "" {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

func (s *mapStore) do(op mapper.Op) (mapper.Op, error) {
	err := mapper.Do(s.Engine, &op)
	return op, err
}

func (s *mapStore) snapshot(volume, name string) error {
	_, err := s.do(mapper.Op{Kind: mapper.Snapshot, Name: volume, Other: name})
	return err
}

func (s *mapStore) clone(snapshot, name string) error {
	_, err := s.do(mapper.Op{Kind: mapper.Clone, Name: name, Other: snapshot})
	return err
}

func (s *mapStore) rollback(volume, snapshot string) error {
	_, err := s.do(mapper.Op{Kind: mapper.Rollback, Name: volume, Other: snapshot})
	return err
}

func (s *mapStore) remove(name string) error {
	_, err := s.do(mapper.Op{Kind: mapper.Delete, Name: name})
	return err
}

// touch commits a new object of an open or closed volume: so there is something to flush.
func (s *mapStore) touch(v mapper.Info, index int64) error {
	op, err := s.do(mapper.Op{Kind: mapper.MapWrite, Volume: v.UUID, Name: v.Name, Index: index})
	if err == nil {
		op.Kind, op.Entry.Levels[0].Mask = mapper.Commit, mapfmt.FullMask
		_, err = s.do(op)
	}
	return err
}

// full makes a volume with the given entry for each of its objects, by writing the files of its map.
func (s *mapStore) full(name string, size int64, entry func(v mapper.Info, index int64) mapfmt.Entry) (mapper.Info, error) {
	op, err := s.do(mapper.Op{Kind: mapper.Clone, Name: name, Size: size})
	if err != nil {
		return op.Info, err
	}
	object := mapfmt.RecordName(name)
	read := blocker.Op{Kind: blocker.Read, Name: object, Data: make([]byte, blocker.MaxAtomic)}
	stat := blocker.Op{Kind: blocker.Stat, Name: object}
	if err := errors.Join(blocker.Do(s.maps, &stat), blocker.Do(s.maps, &read)); err != nil {
		return op.Info, err
	}
	rec, err := mapfmt.DecodeRecord(read.Data[:stat.N])
	if err != nil {
		return op.Info, err
	}
	own := mapfmt.Owner{UUID: rec.UUID, Epoch: rec.Epoch}
	for no := range rec.Table {
		if err := s.fullChunk(own.At(int64(no)), op.Info, entry); err != nil {
			return op.Info, fmt.Errorf("chunk %d: %w", no, err)
		}
		rec.Table[no] = own
	}
	data, err := mapfmt.EncodeRecord(rec)
	if err == nil {
		err = s.replace(rec.UUID, object, data)
	}
	return op.Info, err
}

func (s *mapStore) fullChunk(id mapfmt.ChunkID, v mapper.Info, entry func(mapper.Info, int64) mapfmt.Entry) error {
	var c mapfmt.Chunk
	for i := range int64(mapfmt.ChunkEntries) {
		e := entry(v, id.No*mapfmt.ChunkEntries+i)
		if err := c.Set(int(i), &e); err != nil {
			return err
		}
	}
	data, _, err := mapfmt.EncodeChunk(id, v.ObjectSize, mapfmt.NewBirth(), &c)
	if err != nil {
		return err
	}
	return s.replace(v.UUID, mapfmt.ChunkName(id), data)
}

func (s *mapStore) replace(u mapfmt.UUID, name string, data []byte) error {
	return blocker.Do(s.maps, &blocker.Op{Kind: blocker.Replace, Volume: u, Name: name, Data: data})
}

// ownEntry is an entry of a volume that shares nothing: one object, complete.
func ownEntry(v mapper.Info, index int64) mapfmt.Entry {
	return mapfmt.Entry{NumLevels: 1, Levels: [mapfmt.MaxLevels + 1]mapfmt.Level{
		{UUID: v.UUID, Epoch: 1, Birth: uint64(index + 1), Mask: mapfmt.FullMask},
	}}
}

// largestEntry is one with everything that an entry can have.
func largestEntry(v mapper.Info, index int64) mapfmt.Entry {
	birth := uint64(index + 1)
	return mapfmt.Entry{
		Bottom: mapfmt.BottomHashed, Key: [32]byte{1, byte(index), byte(index >> 8)}, NumLevels: 3,
		Levels: [mapfmt.MaxLevels + 1]mapfmt.Level{
			{UUID: v.UUID, Epoch: 1, Birth: birth, Mask: 1},
			{UUID: mapfmt.UUID{1}, Epoch: 2, Birth: birth, Mask: 2},
			{UUID: mapfmt.UUID{2}, Epoch: 3, Birth: birth, Mask: 4},
		},
	}
}
