package blockertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"archipelago/peers/blocker"
)

// volume is on whose behalf the tests run.
var volume = blocker.UUID{1, 2, 3}

// fixture is a store with checks around it. Its methods may be called by any goroutine: they fail
// the test without ending it.
type fixture struct {
	*testing.T
	s blocker.Store
}

// do runs an operation of the test volume.
func (f *fixture) do(op *blocker.Op) *blocker.Op {
	if op.Volume == (blocker.UUID{}) {
		op.Volume = volume
	}
	_ = blocker.Do(f.s, op)
	return op
}

// must runs an operation that has to succeed.
func (f *fixture) must(op *blocker.Op) *blocker.Op {
	f.Helper()
	if f.do(op); op.Err != nil {
		f.Errorf("%s: %v", describe(op), op.Err)
	}
	return op
}

// fails runs an operation that has to fail with want.
func (f *fixture) fails(want error, op *blocker.Op) *blocker.Op {
	f.Helper()
	if f.do(op); !errors.Is(op.Err, want) {
		f.Errorf("%s: error is %v, want %v", describe(op), op.Err, want)
	}
	return op
}

func (f *fixture) write(name string, off int64, data []byte) {
	f.Helper()
	op := f.must(&blocker.Op{Kind: blocker.Write, Name: name, Offset: off, Data: data})
	if op.Err == nil && op.N != int64(len(data)) {
		f.Errorf("%s: N = %d", describe(op), op.N)
	}
}

// read returns n bytes, from a buffer that held something else before.
func (f *fixture) read(name string, off int64, n int) []byte {
	f.Helper()
	data := bytes.Repeat([]byte{0xa5}, n)
	op := f.must(&blocker.Op{Kind: blocker.Read, Name: name, Offset: off, Data: data})
	if op.Err == nil && op.N != int64(n) {
		f.Errorf("%s: N = %d", describe(op), op.N)
	}
	return data
}

// holds checks the content of an object, its size, and that zeros follow.
func (f *fixture) holds(name string, want []byte) {
	f.Helper()
	got := f.read(name, 0, min(len(want)+5000, blocker.MaxAtomic))
	if rest := len(want) + 5000 - len(got); rest > 0 { // as much as any store takes at once
		got = append(got, f.read(name, int64(len(got)), rest)...)
	}
	if i := differ(got[:len(want)], want); i >= 0 {
		f.Errorf("%s: byte %d of %d is %#x, want %#x", name, i, len(want), got[i], want[i])
	}
	if i := differ(got[len(want):], make([]byte, 5000)); i >= 0 {
		f.Errorf("%s: byte %d past the end is %#x", name, i, got[len(want)+i])
	}
	if n := f.size(name); n != int64(len(want)) {
		f.Errorf("%s: size is %d, want %d", name, n, len(want))
	}
}

func (f *fixture) size(name string) int64 {
	f.Helper()
	return f.must(&blocker.Op{Kind: blocker.Stat, Name: name}).N
}

func (f *fixture) missing(name string) {
	f.Helper()
	f.fails(blocker.ErrNotFound, &blocker.Op{Kind: blocker.Stat, Name: name})
}

func describe(op *blocker.Op) string {
	return kindName(op.Kind) + " " + strconv.Quote(op.Name) + " at " + strconv.FormatInt(op.Offset, 10)
}

var kindNames = [...]string{"?", "read", "write", "write zeroes", "discard", "copy", "fill", "sync",
	"stat", "create", "replace", "append", "truncate", "delete", "list", "lock read", "lock advance"}

func kindName(k blocker.Kind) string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// differ returns where a and b differ first, or -1.
func differ(a, b []byte) int {
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// pattern returns n bytes that no other seed gives and that hold no zero.
func pattern(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 0, n+8)
	for len(data) < n {
		// The lowest bit of each byte set: none is zero.
		data = binary.LittleEndian.AppendUint64(data, r.Uint64()|0x0101010101010101)
	}
	return data[:n:n]
}

// seed returns the seed of this run, and prints it: ARCHIPELAGO_SEED sets it.
func seed(t testing.TB) uint64 {
	n := uint64(time.Now().UnixNano())
	if s := os.Getenv("ARCHIPELAGO_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("ARCHIPELAGO_SEED: %v", err)
		}
	}
	t.Logf("ARCHIPELAGO_SEED=%d", n)
	return n
}
