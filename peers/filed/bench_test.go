package filed

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"archipelago/peers/blocker"
)

// submit runs op and waits, without allocating.
func submit(s *Store, op *blocker.Op, done chan struct{}) error {
	op.Done = func(*blocker.Op) { done <- struct{}{} }
	s.Submit(op)
	<-done
	return op.Err
}

// viaPool runs op on the pool even if it could be served at once.
func viaPool(s *Store, op *blocker.Op) {
	s.inFlight.Add(1)
	s.pool.submit(task{op: op})
}

const benchObject = 4 << 20

func benchStore(b *testing.B, objects int) (*Store, []string) {
	s := open(b, nil)
	names := make([]string, objects)
	data := make([]byte, benchObject)
	for i := range data {
		data[i] = byte(i)
	}
	for i := range names {
		names[i] = fmt.Sprintf("0b5c1d7e-0000-4000-8000-000000000001/0/%d.1.00000000000000aa", i)
		if err := blocker.Do(s, &blocker.Op{Kind: blocker.Write, Name: names[i], Data: data}); err != nil {
			b.Fatal(err)
		}
	}
	if err := blocker.Do(s, &blocker.Op{Kind: blocker.Sync}); err != nil {
		b.Fatal(err)
	}
	return s, names
}

// BenchmarkOp measures one operation at a time, and 32 at once, where it is served in Submit and
// where it is handed to the pool.
func BenchmarkOp(b *testing.B) {
	for _, kind := range []blocker.Kind{blocker.Read, blocker.Write} {
		for _, size := range []int{4 << 10, 64 << 10, 256 << 10} {
			for _, pooled := range []bool{false, true} {
				for _, depth := range []int{1, 32} {
					if !pooled && size > inlineMax {
						continue
					}
					name := fmt.Sprintf("kind=%d/size=%dk/pool=%v/depth=%d", kind, size>>10, pooled, depth)
					b.Run(name, func(b *testing.B) { benchOp(b, kind, size, depth, pooled) })
				}
			}
		}
	}
}

func benchOp(b *testing.B, kind blocker.Kind, size, depth int, pooled bool) {
	s, names := benchStore(b, 16)
	r := rand.New(rand.NewPCG(1, 1))
	done := make(chan *blocker.Op, depth)
	ops := make([]blocker.Op, depth)
	for i := range ops {
		ops[i] = blocker.Op{Kind: kind, Data: make([]byte, size), Done: func(op *blocker.Op) { done <- op }}
		done <- &ops[i]
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		op := <-done
		if op.Err != nil {
			b.Fatal(op.Err)
		}
		op.Name = names[r.IntN(len(names))]
		op.Offset = r.Int64N(int64(benchObject/size)) * int64(size)
		if pooled {
			viaPool(s, op)
		} else {
			s.Submit(op)
		}
	}
	for range depth {
		<-done
	}
}

// BenchmarkCopy measures a sub-block's copy.
func BenchmarkCopy(b *testing.B) {
	for _, size := range []int64{4 << 10, 64 << 10, 1 << 20, 4 << 20} {
		b.Run(fmt.Sprintf("size=%dk", size>>10), func(b *testing.B) {
			s, names := benchStore(b, 2)
			done := make(chan struct{}, 1)
			b.SetBytes(size)
			b.ResetTimer()
			for i := range b.N {
				op := &blocker.Op{Kind: blocker.Copy, Source: names[0], Name: names[1], Length: size}
				op.Offset = int64(i) * size % benchObject
				op.SourceOffset = op.Offset
				if err := submit(s, op, done); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirstWrite measures 4 KiB in the middle of a sub-block that isn't there yet, with what lies
// around it: in one operation, and in three.
func BenchmarkFirstWrite(b *testing.B) {
	const sub, at, size = 64 << 10, 24 << 10, 4 << 10
	data := bytes.Repeat([]byte{7}, size)
	run := func(b *testing.B, ops func(from int64) []*blocker.Op) {
		s, names := benchStore(b, 1)
		done := make(chan struct{}, 1)
		b.ResetTimer()
		for i := range b.N {
			from := int64(i) * sub % benchObject
			for _, op := range ops(from) {
				op.Source, op.Name = names[0], fmt.Sprintf("new/%d", int64(i)*sub/benchObject)
				if err := submit(s, op, done); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("fill", func(b *testing.B) {
		run(b, func(from int64) []*blocker.Op {
			return []*blocker.Op{{Kind: blocker.Fill, Offset: from + at, Data: data, SourceOffset: from, Length: sub}}
		})
	})
	b.Run("copies and write", func(b *testing.B) {
		run(b, func(from int64) []*blocker.Op {
			end := from + at + size
			return []*blocker.Op{
				{Kind: blocker.Copy, Offset: from, SourceOffset: from, Length: at},
				{Kind: blocker.Copy, Offset: end, SourceOffset: end, Length: sub - at - size},
				{Kind: blocker.Write, Offset: from + at, Data: data},
			}
		})
	})
}

// BenchmarkDurable measures what makes small objects durable.
func BenchmarkDurable(b *testing.B) {
	s := open(b, nil)
	done := make(chan struct{}, 1)
	data := make([]byte, 4096)
	made, generation := 0, uint64(0)
	for _, c := range []struct {
		name string
		op   func() *blocker.Op
	}{
		{"create", func() *blocker.Op {
			made++
			return &blocker.Op{Kind: blocker.Create, Name: fmt.Sprintf("v/%d", made), Data: data}
		}},
		{"replace", func() *blocker.Op { return &blocker.Op{Kind: blocker.Replace, Name: "v/one", Data: data} }},
		{"fua", func() *blocker.Op {
			return &blocker.Op{Kind: blocker.Write, Name: "v/one", Data: data, Flags: blocker.FlagFUA}
		}},
		{"lock", func() *blocker.Op {
			generation++
			return &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x", Generation: generation - 1, Data: data[:100]}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				if err := submit(s, c.op(), done); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
