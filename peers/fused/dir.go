package fused

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"archipelago/internal/mapfmt"
)

// nameMax is the longest name of a volume.
const nameMax = mapfmt.VolumeNameMax

// namesAtOnce is how many names one call of the kernel asks the mapper for at most: its buffer
// takes about that many short ones.
const namesAtOnce = 1024

// dir is an open directory: the names that were read so far, so that any place in it can be gone
// back to and long lists are asked for piece by piece.
type dir struct {
	mu    sync.Mutex
	names []string
	all   bool
}

// dots are the first entries of a directory.
var dots = []string{".", ".."}

// OpenDir begins a list of names.
func (f *FS) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.NodeId != rootID {
		return fuse.ENOTDIR
	}
	out.Fh = f.keep(&dir{names: slices.Clone(dots)})
	return fuse.OK
}

// ReleaseDir ends one.
func (f *FS) ReleaseDir(in *fuse.ReleaseIn) { f.drop(in.Fh) }

// FsyncDir has nothing to do.
func (f *FS) FsyncDir(<-chan struct{}, *fuse.FsyncIn) fuse.Status { return fuse.OK }

// ReadDir fills out with entries from the offset on; an offset counts entries.
func (f *FS) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	d, ok := f.handle(in.Fh).(*dir)
	if !ok {
		return fuse.EBADF
	}
	ctx, end := until(cancel)
	defer end()
	d.mu.Lock()
	defer d.mu.Unlock()
	if in.Offset == 0 && len(d.names) > len(dots) {
		d.names, d.all = slices.Clone(dots), false // rewound: what is there now counts
	}
	for at := in.Offset; ; at++ {
		for at >= uint64(len(d.names)) && !d.all {
			if err := d.more(ctx, f.backend); err != nil {
				return status(err)
			}
		}
		if at >= uint64(len(d.names)) || !out.AddDirEntry(entry(d.names[at], at)) {
			return fuse.OK
		}
	}
}

func entry(name string, at uint64) fuse.DirEntry {
	e := fuse.DirEntry{Name: name, Mode: syscall.S_IFREG, Off: at + 1}
	if at < uint64(len(dots)) {
		e.Mode, e.Ino = syscall.S_IFDIR, rootID
	}
	return e
}

// errEnough ends a list early.
var errEnough = errors.New("enough")

// more asks for the names behind the last one.
func (d *dir) more(ctx context.Context, b Backend) error {
	after, n := "", 0
	if len(d.names) > len(dots) {
		after = d.names[len(d.names)-1]
	}
	err := b.ListAfter(ctx, after, func(name string) error {
		if n == namesAtOnce {
			return errEnough
		}
		n++
		d.names = append(d.names, name)
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	d.all = err == nil
	return err
}
