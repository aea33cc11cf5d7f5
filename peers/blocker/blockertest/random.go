package blockertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"archipelago/peers/blocker"
)

// model is what a store should hold, for objects under one prefix.
type model struct {
	f       *fixture
	r       *rand.Rand
	prefix  string
	objects map[string][]byte
}

func testRandom(t *testing.T, f *fixture) {
	newModel(f, seed(t), "m").run(400)
}

func testRandomParallel(t *testing.T, f *fixture) {
	s := seed(t)
	parallel(4, func(i int) { newModel(f, s+uint64(i), fmt.Sprintf("m%d", i)).run(100) })
}

func newModel(f *fixture, seed uint64, prefix string) *model {
	return &model{f, rand.New(rand.NewPCG(seed, 2)), prefix, map[string][]byte{}}
}

func (m *model) run(steps int) {
	for range steps {
		if m.f.Failed() {
			return
		}
		m.step()
	}
	m.check()
}

// step runs a random operation and checks its outcome.
func (m *model) step() {
	op := &blocker.Op{
		Kind:   blocker.Kind(1 + m.r.IntN(int(blocker.Delete))),
		Name:   m.name(),
		Source: m.name(),
		Offset: m.offset(),
		Length: m.offset(),
		Flags:  blocker.Flags(m.r.IntN(8) / 7),
		Volume: blocker.UUID{byte(m.r.IntN(2))},
	}
	op.SourceOffset = m.offset()
	if op.Kind == blocker.Fill {
		op.SourceOffset = max(0, op.Offset-m.offset())
		op.Length += op.Offset - op.SourceOffset + 20000
	}
	old, exists := m.objects[op.Name]
	if op.Kind == blocker.Append && m.r.IntN(3) > 0 {
		op.Offset = int64(len(old))
	}
	if op.Kind != blocker.Sync || m.r.IntN(2) == 0 {
		op.Data = pattern(m.r.Uint64(), m.r.IntN(20000))
	} else {
		op.Name = ""
	}
	sent := slices.Clone(op.Data)
	m.f.do(op)
	if want := m.apply(op, sent, old, exists); !errors.Is(op.Err, want) {
		m.f.Errorf("%s: error is %v, want %v", describe(op), op.Err, want)
	}
}

func (m *model) name() string { return fmt.Sprintf("%s/%d/%d", m.prefix, m.r.IntN(2), m.r.IntN(3)) }

// offset favours the edges of blocks.
func (m *model) offset() int64 {
	n := m.r.Int64N(100000)
	if m.r.IntN(2) == 0 {
		n &^= 4095
	}
	return n
}

// apply does to the model what op does to a store; it returns the error that op should have.
func (m *model) apply(op *blocker.Op, sent, old []byte, exists bool) error {
	switch op.Kind {
	case blocker.Read:
		if !exists {
			return blocker.ErrNotFound
		}
		m.same(op, op.Data, cut(old, op.Offset, int64(len(op.Data))))
	case blocker.Write:
		m.put(op, sent)
	case blocker.WriteZeroes:
		m.put(op, make([]byte, op.Length))
	case blocker.Discard:
		if n := min(op.Length, int64(len(old))-op.Offset); n > 0 {
			m.put(op, make([]byte, n))
		}
	case blocker.Copy:
		if op.Source == op.Name {
			return blocker.ErrArgument
		}
		src, ok := m.objects[op.Source]
		if !ok {
			return blocker.ErrNotFound
		}
		m.put(op, cut(src, op.SourceOffset, op.Length))
	case blocker.Fill:
		return m.applyFill(op, sent)
	case blocker.Sync:
	case blocker.Stat:
		return m.stat(op, old, exists)
	default:
		return m.applyWhole(op, sent, old, exists)
	}
	return nil
}

func (m *model) applyFill(op *blocker.Op, sent []byte) error {
	if op.Source == op.Name {
		return blocker.ErrArgument
	}
	src, ok := m.objects[op.Source]
	if !ok {
		return blocker.ErrNotFound
	}
	around := *op
	around.Offset = op.SourceOffset
	m.put(&around, cut(src, op.SourceOffset, op.Length))
	m.put(op, sent)
	return nil
}

func (m *model) applyWhole(op *blocker.Op, sent, old []byte, exists bool) error {
	switch op.Kind {
	case blocker.Create:
		if exists {
			return blocker.ErrExists
		}
		m.objects[op.Name] = sent
		return nil
	case blocker.Replace:
		m.objects[op.Name] = sent
		return nil
	}
	if !exists {
		return blocker.ErrNotFound
	}
	switch op.Kind {
	case blocker.Append:
		if op.Offset != int64(len(old)) {
			return blocker.ErrConflict
		}
		m.put(op, sent)
	case blocker.TruncateTail:
		m.objects[op.Name] = slices.Clone(old[:min(op.Offset, int64(len(old)))])
	case blocker.Delete:
		delete(m.objects, op.Name)
	}
	return nil
}

func (m *model) stat(op *blocker.Op, old []byte, exists bool) error {
	if !exists {
		return blocker.ErrNotFound
	}
	if op.N != int64(len(old)) {
		m.f.Errorf("%s: size is %d, want %d", describe(op), op.N, len(old))
	}
	return nil
}

// put stores data at op.Offset. Nothing written grows nothing.
func (m *model) put(op *blocker.Op, data []byte) {
	old := m.objects[op.Name]
	end := op.Offset + int64(len(data))
	if len(data) == 0 {
		end = 0
	}
	grown := make([]byte, max(int64(len(old)), end))
	copy(grown, old)
	if len(data) > 0 {
		copy(grown[op.Offset:], data)
	}
	m.objects[op.Name] = grown
}

// cut returns n bytes from off on; past the end: zeros.
func cut(b []byte, off, n int64) []byte {
	p := make([]byte, n)
	if off < int64(len(b)) {
		copy(p, b[off:])
	}
	return p
}

func (m *model) same(op *blocker.Op, got, want []byte) {
	if i := differ(got, want); i >= 0 {
		m.f.Errorf("%s: byte %d of %d differs", describe(op), i, len(want))
	}
}

func (m *model) check() {
	var names []string
	for name, data := range m.objects {
		m.f.holds(name, data)
		names = append(names, name)
	}
	slices.Sort(names)
	if got := m.f.names(m.prefix + "/"); !slices.Equal(got, names) {
		m.f.Errorf("names are %q, want %q", got, names)
	}
}
