package fused

import (
	"context"
	"syscall"

	"archipelago/internal/volume"
	"archipelago/peers/mapper"
)

// Backend is what the file system shows. Safe for use by many goroutines.
type Backend interface {
	// Info describes what has that name now. mapper.ErrNotFound if nothing has.
	Info(ctx context.Context, name string) (mapper.Info, error)
	// Open opens it for I/O.
	Open(ctx context.Context, name string) (Volume, error)
	// ListAfter calls f for each name behind after in byte order until f fails.
	ListAfter(ctx context.Context, after string, f func(name string) error) error
}

// Volume is one of them, open. Safe for use by many goroutines.
type Volume interface {
	Info() mapper.Info
	// Prepare makes a request (an op and flags of xseg) on [off, off+n), waiting for room. n is at
	// most maxIO for reads and writes.
	Prepare(ctx context.Context, op, flags uint32, off, n int64) (IO, error)
	// Runs calls f for the runs of data and of holes in [off, off+n), in order and with no gap
	// between them, until f returns false.
	Runs(ctx context.Context, off, n int64, f func(n int64, data bool) bool) error
}

// IO is one request. It belongs to whoever prepared it until Submit, and again from the call of
// done until Put.
type IO interface {
	Data() []byte
	// Submit sends the request. done runs once, and must not block.
	Submit(done func())
	Errno() syscall.Errno // valid from done on
	Put()
}

// Volumes shows the volumes and snapshots of a node.
func Volumes(c *volume.Client) Backend { return volumes{c} }

type volumes struct{ *volume.Client }

func (v volumes) Open(ctx context.Context, name string) (Volume, error) {
	o, err := v.Client.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return openVolume{o}, nil
}

type openVolume struct{ *volume.Volume }

func (v openVolume) Prepare(ctx context.Context, op, flags uint32, off, n int64) (IO, error) {
	io, err := v.PrepareWait(ctx, op, flags, off, n)
	if err != nil {
		return nil, err
	}
	return io, nil
}

func (v openVolume) Runs(ctx context.Context, off, n int64, f func(n int64, data bool) bool) error {
	return v.Extents(ctx, off, n, func(x volume.Extent) bool { return f(x.Length, x.Depth > 0) })
}
