package fused

import (
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Lseek finds the next data or the next hole, as the map knows them. Whole objects and parts of
// objects that were never written are holes; what was written with zeros need not be one.
func (f *FS) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	h, ok := f.file(in.Fh)
	if !ok {
		return fuse.EBADF
	}
	if in.Whence != unix.SEEK_DATA && in.Whence != unix.SEEK_HOLE {
		return fuse.EINVAL
	}
	ctx, end := until(cancel)
	defer end()
	if _, _, err := f.describe(ctx, h.inode.id); err != nil {
		return status(err)
	}
	size := uint64(h.inode.size.Load())
	if in.Offset >= size {
		return fuse.Status(unix.ENXIO)
	}
	at, found := in.Offset, false
	err := h.vol.Runs(ctx, int64(in.Offset), int64(size-in.Offset), func(n int64, data bool) bool {
		found = data == (in.Whence == unix.SEEK_DATA)
		if !found {
			at += uint64(n)
		}
		return !found
	})
	switch {
	case err != nil:
		return status(err)
	case !found && in.Whence == unix.SEEK_DATA:
		return fuse.Status(unix.ENXIO)
	case !found:
		at = size // there is a hole at the end of every file
	}
	out.Offset = at
	return fuse.OK
}
