package compose

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/filed"
	"archipelago/peers/mapper"
	"archipelago/peers/vlmcd"
)

// program is a random sequence of operations on volumes, one after the other, which a seed fixes:
// the order in which their parts happen is the node's, and must not matter.
type program struct {
	f          *family
	rng        *rand.Rand
	objectSize int64
	log        []string // what each operation did: the same on every store
	names      int
}

func (p *program) t() testing.TB { return p.f.n.t }

// one runs an operation on d.
func (p *program) one(d *disk, op vlmcd.Op) *vlmcd.Op {
	r := &request{d: d, make: func() *vlmcd.Op { again := op; return &again }}
	p.f.do(2, r)
	return r.op
}

func (p *program) say(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

func (p *program) newName() string {
	p.names++
	return fmt.Sprint("v", p.names)
}

// span draws a range of d: mostly small, and now and then a large one, in units.
func (p *program) span(d *disk, unit int64) (off, n int64) {
	units := int64(len(d.want)) / unit
	off = p.rng.Int64N(units)
	n = 1 + p.rng.Int64N(min(units-off, 1+(1<<p.rng.IntN(12))))
	return off * unit, n * unit
}

func (p *program) write(d *disk) {
	off, n := p.span(d, sector)
	data := bytes.Repeat([]byte{byte(1 + p.rng.IntN(255))}, int(n))
	copy(d.want[off:], data)
	p.one(d, vlmcd.Op{Kind: vlmcd.Write, Offset: off, Data: data, Flags: vlmcd.Flags(p.rng.IntN(2)) * vlmcd.FlagFUA})
	p.say("write %s %d+%d", d.info.Name, off, n)
}

// zero clears a range. A discard is of whole sub-blocks: parts of shared ones may keep their bytes.
func (p *program) zero(d *disk) {
	kind, unit := vlmcd.WriteZeroes, int64(sector)
	if p.rng.IntN(2) == 0 {
		kind, unit = vlmcd.Discard, max(4096, p.objectSize/64)
	}
	off, n := p.span(d, unit)
	clear(d.want[off : off+n])
	p.one(d, vlmcd.Op{Kind: kind, Offset: off, Length: n})
	p.say("clear %d %s %d+%d", kind, d.info.Name, off, n)
}

func (p *program) snapshot(d *disk) {
	name := p.newName()
	op := p.one(d, vlmcd.Op{Kind: vlmcd.Snapshot, Other: name, RequestID: p.f.id()})
	s := &disk{info: op.Info, readOnly: true, want: bytes.Clone(d.want)}
	s.info.Name = name
	p.f.disks = append(p.f.disks, s)
	p.say("snapshot %s of %s", name, d.info.Name)
}

func (p *program) clone(s *disk) {
	p.f.add(mapper.Op{Name: p.newName(), Other: s.info.Name}).want = bytes.Clone(s.want)
	p.say("clone of %s", s.info.Name)
}

func (p *program) rollback(d, s *disk) {
	p.one(d, vlmcd.Op{Kind: vlmcd.Rollback, Other: s.info.Name, RequestID: p.f.id()})
	d.want = bytes.Clone(s.want)
	p.say("rollback %s to %s", d.info.Name, s.info.Name)
}

func (p *program) resize(d *disk) {
	unit := max(4096, p.objectSize/64)
	size := unit * (1 + p.rng.Int64N(3*p.objectSize/unit))
	p.one(d, vlmcd.Op{Kind: vlmcd.Resize, Size: size, RequestID: p.f.id()})
	was := int64(len(d.want))
	d.want = append(d.want[:min(was, size):min(was, size)], make([]byte, max(size-was, 0))...)
	p.say("resize %s to %d", d.info.Name, size)
}

func (p *program) rename(d *disk) {
	name := p.newName()
	p.one(d, vlmcd.Op{Kind: vlmcd.Rename, Other: name, RequestID: p.f.id()})
	p.say("rename %s to %s", d.info.Name, name)
	d.info.Name = name
}

// remove takes d away, and makes sure that it is gone.
func (p *program) remove(i int) {
	d := p.f.disks[i]
	p.one(d, vlmcd.Op{Kind: vlmcd.Delete, RequestID: p.f.id()})
	p.f.disks = append(p.f.disks[:i:i], p.f.disks[i+1:]...)
	op := mapper.Op{Kind: mapper.InfoOf, Name: d.info.Name}
	if err := mapper.Do(p.f.n.mapper, &op); !errors.Is(err, mapper.ErrNotFound) {
		p.t().Fatalf("%s is removed, but: %v", d.info.Name, err)
	}
	p.say("remove %s", d.info.Name)
}

func (p *program) step(most int) {
	i := p.rng.IntN(len(p.f.disks))
	d, s := p.f.disks[i], p.f.disks[p.rng.IntN(len(p.f.disks))]
	room := len(p.f.disks) < most
	switch x := p.rng.IntN(100); {
	case x < 3 && len(p.f.disks) > 1:
		p.remove(i)
	case x < 8:
		p.rename(d)
	case d.readOnly && room:
		p.clone(d)
	case d.readOnly:
	case x < 18 && room:
		p.snapshot(d)
	case x < 24 && s.readOnly:
		p.rollback(d, s)
	case x < 32:
		p.resize(d)
	case x < 50:
		p.zero(d)
	case x < 56:
		p.one(d, vlmcd.Op{Kind: vlmcd.Flush})
	default:
		p.write(d)
	}
}

// check compares every byte with the model.
func (p *program) check() {
	for _, d := range p.f.disks {
		got := p.one(d, vlmcd.Op{Kind: vlmcd.Read, Data: make([]byte, len(d.want))}).Data
		if !bytes.Equal(got, d.want) {
			at := 0
			for got[at] == d.want[at] {
				at++
			}
			p.t().Fatalf("%s differs at %d of %d:\n%v", d.info.Name, at, len(got), p.log)
		}
		p.say("%s is %x", d.info.Name, sha256.Sum256(got))
	}
}

// runProgram runs the program of a seed on two stores, with the composer killed and the mapper
// restarted on the way, and returns what happened.
func runProgram(t *testing.T, seed uint64, objectSize int64, steps, most int, maps, blocks blocker.Store) []string {
	t.Helper()
	p := &program{f: &family{n: newNodeOn(t, seed, maps, blocks)}, objectSize: objectSize,
		rng: rand.New(rand.NewPCG(seed, 11))}
	first := p.f.add(mapper.Op{Name: p.newName(), Size: 5 * objectSize / 2, ObjectSize: objectSize})
	first.want = make([]byte, 5*objectSize/2)
	for range steps {
		p.step(most)
	}
	p.check()
	p.f.n.killComposer()
	p.f.n.restartMapper()
	p.check()
	return p.log
}

// openStore opens a file store in a directory of its own; what the file system can't do is skipped.
func openStore(t *testing.T, opts filed.Options) blocker.Store {
	t.Helper()
	opts.Dir, opts.Owner = t.TempDir(), "compose"
	s, err := filed.Open(opts)
	if errors.Is(err, filed.ErrNoDirect) {
		t.Skipf("no direct I/O here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSameOnEveryStore: the program of a seed leaves every byte as the model says, on every store
// and with every size of objects, and takes the same course on all of them.
func TestSameOnEveryStore(t *testing.T) {
	stores := map[string]filed.Options{"file": {}, "write-through": {WriteThrough: true}, "direct": {Direct: true}}
	for _, c := range []struct {
		objectSize  int64
		steps, most int
	}{{64 << 10, 150, 8}, {512 << 10, 100, 6}, {4 << 20, 60, 4}, {64 << 20, 12, 2}} {
		t.Run(fmt.Sprint("objects=", c.objectSize>>10, "K"), func(t *testing.T) {
			if c.objectSize > 4<<20 && os.Getenv("ARCHIPELAGO_SOAK") == "" && raceOn {
				t.Skip("hundreds of MiB, which the race detector makes slow")
			}
			seed := uint64(c.objectSize)
			want := runProgram(t, seed, c.objectSize, c.steps, c.most, memstore.New(), memstore.New())
			for name, opts := range stores {
				t.Run(name, func(t *testing.T) {
					got := runProgram(t, seed, c.objectSize, c.steps, c.most, openStore(t, opts), openStore(t, opts))
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("another course than in memory:\n%s", diff)
					}
				})
			}
		})
	}
}
