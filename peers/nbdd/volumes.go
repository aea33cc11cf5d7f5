package nbdd

import (
	"context"

	"archipelago/internal/volume"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// volumes exports the volumes and snapshots of a node.
type volumes struct{ client *volume.Client }

// flagReadOnly is XSEG_VOLUME_READONLY of abi.h.
const flagReadOnly = 1

func infoOf(i mapper.Info) Info {
	return Info{Name: i.Name, ID: i.UUID, Size: uint64(i.Size), ReadOnly: i.Flags&flagReadOnly != 0, MinBlock: 1}
}

func (v volumes) Info(ctx context.Context, name string) (Info, error) {
	i, err := v.client.Info(ctx, name)
	return infoOf(i), err
}

func (v volumes) Open(ctx context.Context, name string) (Export, error) {
	vol, err := v.client.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return volumeExport{vol}, nil
}

func (v volumes) List(ctx context.Context, f func(name string) error) error {
	return v.client.List(ctx, f)
}

// volumeExport is one of them, open.
type volumeExport struct{ v *volume.Volume }

func (e volumeExport) Info() Info { return infoOf(e.v.Info()) }

func (e volumeExport) Prepare(op Op, fua bool, off uint64, n int) IO {
	io := e.v.Prepare(requests[op], flags(fua), int64(off), int64(n))
	if io == nil {
		return nil // not an IO that holds a nil pointer
	}
	return io
}

func (e volumeExport) PrepareWait(ctx context.Context, op Op, fua bool, off uint64, n int) (IO, error) {
	io, err := e.v.PrepareWait(ctx, requests[op], flags(fua), int64(off), int64(n))
	if err != nil {
		return nil, err
	}
	return io, nil
}

func (e volumeExport) Extents(ctx context.Context, off, n uint64, f func(Extent) bool) error {
	return e.v.Extents(ctx, int64(off), int64(n), func(x volume.Extent) bool {
		return f(Extent{Length: uint64(x.Length), Depth: uint32(x.Depth)})
	})
}

// requests are the operations of the transport.
var requests = [...]uint32{
	Read: xseg.OpRead, Write: xseg.OpWrite, WriteZeroes: xseg.OpWriteZeroes,
	Discard: xseg.OpDiscard, Flush: xseg.OpFlush,
}

func flags(fua bool) uint32 {
	if fua {
		return xseg.ReqFUA
	}
	return 0
}
