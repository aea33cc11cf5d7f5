package fused

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"syscall"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// fakeBackend is volumes in memory.
type fakeBackend struct {
	mu      sync.Mutex
	volumes map[string]*fakeVolume
	asked   int // pages of names
}

func newFake() *fakeBackend { return &fakeBackend{volumes: map[string]*fakeVolume{}} }

// add makes a volume, in place of one of that name.
func (b *fakeBackend) add(name string, size int64, flags uint32) *fakeVolume {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &fakeVolume{b: b, data: make([]byte, size), info: mapper.Info{Name: name, UUID: mapfmt.NewUUID(), Size: size, Flags: flags, Modified: 1700000000}}
	b.volumes[name] = v
	return v
}

func (b *fakeBackend) remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.volumes, name)
}

// pages returns how many pages of names were asked for.
func (b *fakeBackend) pages() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

func (b *fakeBackend) get(name string) (*fakeVolume, error) {
	v := b.volumes[name]
	if v == nil {
		return nil, mapper.ErrNotFound
	}
	return v, nil
}

func (b *fakeBackend) Info(_ context.Context, name string) (mapper.Info, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.get(name)
	if err != nil {
		return mapper.Info{}, err
	}
	return v.info, nil
}

func (b *fakeBackend) Open(_ context.Context, name string) (Volume, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.get(name)
	if err == nil && v.openErr != nil {
		return nil, v.openErr
	}
	return v, err
}

func (b *fakeBackend) ListAfter(_ context.Context, after string, f func(string) error) error {
	b.mu.Lock()
	b.asked++
	var names []string
	for name := range b.volumes {
		if name > after {
			names = append(names, name)
		}
	}
	b.mu.Unlock()
	slices.Sort(names)
	for _, name := range names {
		if err := f(name); err != nil {
			return err
		}
	}
	return nil
}

// fakeVolume is one of them. Its errors are set by the test.
type fakeVolume struct {
	b       *fakeBackend
	info    mapper.Info
	data    []byte
	openErr error
	errno   syscall.Errno // of every request
	flushes int
	fua     int
	arrived chan struct{} // gets one for each request; nil = nobody counts them
	gate    chan struct{} // requests wait for it; nil = they don't
}

func (v *fakeVolume) resize(size int64) {
	v.b.mu.Lock()
	defer v.b.mu.Unlock()
	data := make([]byte, size)
	copy(data, v.data)
	v.data, v.info.Size = data, size
}

func (v *fakeVolume) fail(errno syscall.Errno) {
	v.b.mu.Lock()
	defer v.b.mu.Unlock()
	v.errno = errno
}

// durable returns how many requests had FUA, and how many were flushes.
func (v *fakeVolume) durable() (fua, flushes int) {
	v.b.mu.Lock()
	defer v.b.mu.Unlock()
	return v.fua, v.flushes
}

func (v *fakeVolume) content() []byte {
	v.b.mu.Lock()
	defer v.b.mu.Unlock()
	return bytes.Clone(v.data)
}

func (v *fakeVolume) Info() mapper.Info {
	v.b.mu.Lock()
	defer v.b.mu.Unlock()
	return v.info
}

func (v *fakeVolume) Prepare(_ context.Context, op, flags uint32, off, n int64) (IO, error) {
	io := &fakeIO{v: v, op: op, flags: flags, off: off, n: n}
	if op == xseg.OpRead || op == xseg.OpWrite {
		io.buf = make([]byte, n)
	}
	return io, nil
}

type fakeIO struct {
	v      *fakeVolume
	op     uint32
	flags  uint32
	off, n int64
	buf    []byte
	errno  syscall.Errno
}

func (io *fakeIO) Data() []byte         { return io.buf }
func (io *fakeIO) Errno() syscall.Errno { return io.errno }
func (io *fakeIO) Put()                 {}

func (io *fakeIO) Submit(done func()) {
	go func() {
		if io.v.arrived != nil {
			io.v.arrived <- struct{}{}
		}
		if io.v.gate != nil {
			<-io.v.gate
		}
		io.run()
		done()
	}()
}

func (io *fakeIO) run() {
	io.v.b.mu.Lock()
	defer io.v.b.mu.Unlock()
	io.errno = io.v.errno
	end := io.off + io.n
	if io.errno == 0 && end > int64(len(io.v.data)) {
		io.errno = syscall.EINVAL
	}
	if io.errno != 0 {
		return
	}
	if io.flags&xseg.ReqFUA != 0 {
		io.v.fua++
	}
	switch io.op {
	case xseg.OpRead:
		copy(io.buf, io.v.data[io.off:end])
	case xseg.OpWrite:
		copy(io.v.data[io.off:], io.buf)
	case xseg.OpWriteZeroes:
		clear(io.v.data[io.off:end])
	case xseg.OpFlush:
		io.v.flushes++
	}
}

// Runs takes a block of 64 KiB for a hole if it is all zeros.
func (v *fakeVolume) Runs(_ context.Context, off, n int64, f func(int64, bool) bool) error {
	const block = 64 << 10
	v.b.mu.Lock()
	data := bytes.Clone(v.data[off : off+n])
	v.b.mu.Unlock()
	for len(data) > 0 {
		run := min(block-off%block, int64(len(data)))
		if !f(run, bytes.Count(data[:run], []byte{0}) < int(run)) {
			return nil
		}
		off, data = off+run, data[run:]
	}
	return nil
}
