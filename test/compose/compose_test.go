package compose

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"archipelago/peers/mapper"
	"archipelago/peers/vlmcd"
)

const (
	sector     = 512
	objectSize = 64 << 10
	volumeSize = 5*objectSize + 3*sector
)

// disk is a volume or snapshot and what it holds.
type disk struct {
	info     mapper.Info
	readOnly bool
	want     []byte
}

// request is pushed to every composer until one of them answers.
type request struct {
	d    *disk
	make func() *vlmcd.Op
	op   *vlmcd.Op // as answered
	done bool
}

type family struct {
	n      *node
	disks  []*disk
	serial uint64
}

// do runs requests together, killing the composer and restarting the mapper on the way.
func (f *family) do(trouble int, all ...*request) {
	f.n.t.Helper()
	f.push(all)
	for slices.ContainsFunc(all, func(r *request) bool { return !r.done }) {
		switch x := f.n.rng.IntN(1000); {
		case x < trouble:
			f.n.killComposer()
			f.push(all)
		case x < 2*trouble:
			f.n.restartMapper()
		default:
			f.n.step()
		}
	}
	for _, r := range all {
		if r.op.Err != nil {
			f.n.t.Fatalf("operation %d on %s: %v", r.op.Kind, r.d.info.Name, r.op.Err)
		}
	}
}

func (f *family) push(all []*request) {
	for _, r := range all {
		if r.done {
			continue
		}
		op := r.make()
		op.Volume, op.Name = r.d.info.UUID, []byte(r.d.info.Name)
		op.Done = func(*vlmcd.Op) { r.op, r.done = op, true }
		f.n.composer.Submit(op)
	}
}

func (f *family) id() (id [16]byte) {
	f.serial++
	binary.LittleEndian.PutUint64(id[:], f.serial)
	return id
}

func (f *family) add(op mapper.Op) *disk {
	f.n.t.Helper()
	op.Kind, op.RequestID = mapper.Clone, f.id()
	if err := mapper.Do(f.n.mapper, &op); err != nil {
		f.n.t.Fatal(err)
	}
	op.Info.Name = op.Name
	d := &disk{info: op.Info, want: make([]byte, volumeSize)}
	f.disks = append(f.disks, d)
	return d
}

// change makes a request that changes [off, off+n) of d, and of want.
func (f *family) change(d *disk, want []byte, off, n int64) *request {
	f.serial++
	value := byte(f.serial%251 + 1)
	flags := vlmcd.Flags(0)
	if f.n.rng.IntN(8) == 0 {
		flags = vlmcd.FlagFUA
	}
	if f.n.rng.IntN(5) == 0 {
		clear(want[off : off+n])
		return &request{d: d, make: func() *vlmcd.Op {
			return &vlmcd.Op{Kind: vlmcd.WriteZeroes, Offset: off, Length: n, Flags: flags}
		}}
	}
	data := bytes.Repeat([]byte{value}, int(n))
	copy(want[off:], data)
	return &request{d: d, make: func() *vlmcd.Op {
		return &vlmcd.Op{Kind: vlmcd.Write, Offset: off, Data: data, Flags: flags}
	}}
}

// batch changes disjoint ranges of a disk at once; the disk's content before is returned.
func (f *family) batch(d *disk) (all []*request, before []byte) {
	before = bytes.Clone(d.want)
	for off := int64(0); off < volumeSize; {
		gap := int64(f.n.rng.IntN(200)) * sector
		n := int64(1+f.n.rng.IntN(150)) * sector
		if off += gap; off+n > volumeSize {
			break
		}
		all = append(all, f.change(d, d.want, off, n))
		off += n
	}
	if f.n.rng.IntN(3) == 0 {
		all = append(all, &request{d: d, make: func() *vlmcd.Op { return &vlmcd.Op{Kind: vlmcd.Flush} }})
	}
	return all, before
}

// snapshot asks for a snapshot of d.
func (f *family) snapshot(d *disk, name string) *request {
	id := f.id()
	return &request{d: d, make: func() *vlmcd.Op {
		return &vlmcd.Op{Kind: vlmcd.Snapshot, Other: name, RequestID: id}
	}}
}

func (f *family) read(d *disk) []byte {
	f.n.t.Helper()
	r := &request{d: d, make: func() *vlmcd.Op {
		return &vlmcd.Op{Kind: vlmcd.Read, Data: make([]byte, volumeSize)}
	}}
	f.do(0, r)
	return r.op.Data
}

// round changes a disk, makes a snapshot beside that, and sometimes a clone of it.
func (f *family) round(i, trouble int) {
	t, rng := f.n.t, f.n.rng
	t.Helper()
	d := f.disks[rng.IntN(len(f.disks))]
	if d.readOnly {
		f.add(mapper.Op{Name: fmt.Sprint("clone", i), Other: d.info.Name}).want = bytes.Clone(d.want)
		return
	}
	all, before := f.batch(d)
	var snap *request
	if rng.IntN(2) == 0 {
		snap = f.snapshot(d, fmt.Sprint("snap", i))
		all = append(all, snap)
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	f.do(trouble, all...)
	if snap == nil {
		return
	}
	s := &disk{info: snap.op.Info, readOnly: true}
	s.info.Name = fmt.Sprint("snap", i)
	s.want = f.read(s)
	for at := 0; at < volumeSize; at += sector {
		got := s.want[at : at+sector]
		if !bytes.Equal(got, before[at:at+sector]) && !bytes.Equal(got, d.want[at:at+sector]) {
			t.Fatalf("%s: sector %d is neither old nor new", s.info.Name, at/sector)
		}
	}
	f.disks = append(f.disks, s)
}

// TestVolumes changes volumes, snapshots and clones under kills, and compares every byte.
func TestVolumes(t *testing.T) {
	runs, fixed := 12, os.Getenv("ARCHIPELAGO_SEED")
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		runs = 2000
	}
	first := uint64(0)
	if fixed != "" {
		n, err := strconv.ParseUint(fixed, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, runs = n, 1
	}
	for seed := first; seed < first+uint64(runs); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			f := &family{n: newNode(t, seed)}
			f.add(mapper.Op{Name: "first", Size: volumeSize, ObjectSize: objectSize})
			trouble := int(seed%3) * 3
			for i := range 25 {
				f.round(i, trouble)
			}
			f.n.killComposer()
			f.n.restartMapper()
			for _, d := range f.disks {
				if !bytes.Equal(f.read(d), d.want) {
					t.Fatalf("%s differs; ARCHIPELAGO_SEED=%d", d.info.Name, seed)
				}
			}
		})
	}
}
