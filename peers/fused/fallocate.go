package fused

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"archipelago/xseg"
)

// zeroing are the modes of fallocate that a volume has: both make a range read as zeros, and give
// back what they can of the room that it took.
const zeroing = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_ZERO_RANGE

// Fallocate makes a range zeros. A range can't be reserved (EOPNOTSUPP: the C library then writes
// zeros), and a volume doesn't grow.
func (f *FS) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	h, ok := f.file(in.Fh)
	switch {
	case !ok:
		return fuse.EBADF
	case in.Mode&zeroing == 0, in.Mode&^uint32(zeroing|unix.FALLOC_FL_KEEP_SIZE) != 0:
		return fuse.Status(syscall.EOPNOTSUPP)
	case h.vol.Info().Flags&flagReadOnly != 0:
		return fuse.EROFS
	}
	n, err := h.within(in.Offset, in.Length)
	if err != nil {
		return status(err)
	}
	if n < in.Length && in.Mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
		return fuse.Status(syscall.EFBIG)
	}
	if n == 0 {
		return fuse.OK
	}
	return h.simple(xseg.OpWriteZeroes, in.Offset, n)
}
