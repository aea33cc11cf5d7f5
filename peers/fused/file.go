package fused

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"archipelago/xseg"
)

// file is an open file.
type file struct {
	fs    *FS
	inode *inode
	vol   Volume
}

// openFlags: every read and write comes here, none is answered from the kernel's cache, and writes
// of one file don't wait for each other.
const openFlags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_PARALLEL_DIRECT_WRITES

// Open opens the volume for I/O.
func (f *FS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.NodeId == rootID {
		return fuse.EISDIR
	}
	ctx, end := until(cancel)
	defer end()
	n, info, err := f.describe(ctx, in.NodeId)
	if err != nil {
		return status(err)
	}
	// A volume has a size of its own, which truncation doesn't change.
	if in.Flags&syscall.O_TRUNC != 0 {
		return fuse.EPERM
	}
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY && info.Flags&flagReadOnly != 0 {
		return fuse.EROFS
	}
	vol, err := f.backend.Open(ctx, info.Name)
	if err == nil && vol.Info().UUID != n.uuid {
		err = errStale
	}
	if err != nil {
		return status(err)
	}
	out.Fh, out.OpenFlags = f.keep(&file{f, n, vol}), openFlags
	return fuse.OK
}

// Release ends an open file. The volume stays open on the node, as with any other client.
func (f *FS) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { f.drop(in.Fh) }

// Flush is close(2): nothing is held back that it could write.
func (f *FS) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (f *FS) file(id uint64) (*file, bool) {
	h, ok := f.handle(id).(*file)
	return h, ok
}

// within cuts a range off at the end of the volume, asking how large that is now if it seems to be
// too small. 0: the range lies behind the end.
func (h *file) within(off, n uint64) (uint64, error) {
	size := uint64(h.inode.size.Load())
	if off <= size && n <= size-off {
		return n, nil
	}
	if _, _, err := h.fs.describe(context.Background(), h.inode.id); err != nil {
		return 0, err
	}
	size = uint64(h.inode.size.Load())
	if off >= size {
		return 0, nil
	}
	return min(n, size-off), nil
}

// readResult is data that lies in the segment until the kernel has taken it.
type readResult struct{ io IO }

func (r readResult) Bytes([]byte) ([]byte, fuse.Status) { return r.io.Data(), fuse.OK }
func (r readResult) Size() int                          { return len(r.io.Data()) }
func (r readResult) Done()                              { r.io.Put() }

// Read reads; less than asked for at the end of the volume.
func (f *FS) Read(_ <-chan struct{}, in *fuse.ReadIn, _ []byte) (fuse.ReadResult, fuse.Status) {
	h, ok := f.file(in.Fh)
	if !ok {
		return nil, fuse.EBADF
	}
	io, st := h.transfer(xseg.OpRead, 0, in.Offset, in.Size, nil)
	if st != fuse.OK {
		return nil, st
	}
	if io == nil {
		return fuse.ReadResultData(nil), fuse.OK
	}
	return readResult{io}, fuse.OK
}

// Writev writes; less than given at the end of the volume, and behind it nothing: ENOSPC, as at
// the end of a disk.
func (f *FS) Writev(_ <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	h, ok := f.file(in.Fh)
	if !ok {
		return 0, fuse.EBADF
	}
	io, st := h.transfer(xseg.OpWrite, durability(in.Flags), in.Offset, in.Size, data)
	if st != fuse.OK {
		return 0, st
	}
	if io == nil {
		return 0, fuse.Status(syscall.ENOSPC)
	}
	n := len(io.Data())
	io.Put()
	return uint32(n), fuse.OK
}

// transfer reads or writes what lies within the volume of a range; nil: nothing does.
func (h *file) transfer(op, flags uint32, off uint64, size uint32, data [][]byte) (IO, fuse.Status) {
	for {
		n, err := h.within(off, uint64(size))
		if err != nil {
			return nil, status(err)
		}
		if n == 0 {
			return nil, fuse.OK
		}
		io, st := h.do(op, flags, off, n, data)
		// A volume that was cut since its size was asked for refuses what lies behind its end now.
		if st != fuse.EINVAL || !h.cut(off+n) {
			return io, st
		}
	}
}

// cut says whether the volume ends before an offset now.
func (h *file) cut(end uint64) bool {
	_, info, err := h.fs.describe(context.Background(), h.inode.id)
	return err == nil && uint64(info.Size) < end
}

// durability is FUA for a file that was opened with O_SYNC or O_DSYNC.
func durability(flags uint32) uint32 {
	if flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0 {
		return xseg.ReqFUA
	}
	return 0
}

// Fsync makes what was written durable.
func (f *FS) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	h, ok := f.file(in.Fh)
	if !ok {
		return fuse.EBADF
	}
	if h.vol.Info().Flags&flagReadOnly != 0 {
		return fuse.OK // a snapshot was made durable when it was made
	}
	return h.simple(xseg.OpFlush, 0, 0)
}

// do makes one request and waits for its end; that of a read or write has a buffer, which data
// fills. The caller puts the IO back if it ended well.
func (h *file) do(op, flags uint32, off, n uint64, data [][]byte) (IO, fuse.Status) {
	if h.fs.life.Err() != nil {
		return nil, fuse.Status(syscall.EHOSTDOWN)
	}
	// Not the kernel's wish to interrupt: what was handed over must end one way or the other, and
	// a signal is no reason for an I/O error.
	io, err := h.vol.Prepare(h.fs.life, op, flags, int64(off), int64(n))
	if err != nil {
		return nil, h.failed(err)
	}
	for b, left := io.Data(), data; len(left) > 0; left = left[1:] {
		b = b[copy(b, left[0]):]
	}
	ended := make(chan struct{})
	io.Submit(func() { close(ended) })
	select {
	case <-ended:
	case <-h.fs.life.Done():
		return nil, fuse.Status(syscall.EHOSTDOWN) // the buffer may still be in use
	}
	if errno := io.Errno(); errno != 0 {
		io.Put()
		return nil, fuse.Status(ioErrno(errno))
	}
	return io, fuse.OK
}

// failed is the status of a request that couldn't be made.
func (h *file) failed(err error) fuse.Status {
	if h.fs.life.Err() != nil {
		return fuse.Status(syscall.EHOSTDOWN)
	}
	h.fs.log.Warn("no buffer for a request on a file", "volume", h.vol.Info().Name, "error", err)
	return status(err)
}

// simple makes a request without data.
func (h *file) simple(op uint32, off, n uint64) fuse.Status {
	io, st := h.do(op, 0, off, n, nil)
	if st == fuse.OK {
		io.Put()
	}
	return st
}
