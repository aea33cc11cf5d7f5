package fused

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"archipelago/peers/mapper"
)

// flagReadOnly is XSEG_VOLUME_READONLY of abi.h.
const flagReadOnly = 1

// Modes of what is shown: the group of the process is that of those who may use volumes.
const (
	dirMode      = syscall.S_IFDIR | 0o550
	volumeMode   = syscall.S_IFREG | 0o660
	snapshotMode = syscall.S_IFREG | 0o440
)

// FS is the file system. The kernel's requests are its methods; each runs in a goroutine of its own.
type FS struct {
	fuse.RawFileSystem // answers what isn't here: ENOSYS
	backend            Backend
	log                *slog.Logger
	owner              fuse.Owner
	inodes             inodes
	life               context.Context // ends with the mount: nobody waits for requests then
	end                context.CancelFunc

	mu      sync.Mutex
	handles map[uint64]any // *file or *dir
	last    uint64
}

// NewFS makes the file system of a backend.
func NewFS(b Backend, log *slog.Logger) *FS {
	life, end := context.WithCancel(context.Background())
	return &FS{
		life: life, end: end,
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		backend:       b, log: log,
		owner:   fuse.Owner{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())},
		inodes:  newInodes(),
		handles: map[uint64]any{},
	}
}

// String names the file system in the kernel's tables: type fuse.archipelago.
func (f *FS) String() string { return fsName }

func (f *FS) keep(h any) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.handles[f.last] = h
	return f.last
}

func (f *FS) drop(id uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.handles, id)
}

func (f *FS) handle(id uint64) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.handles[id]
}

// interruptGrace is how long a request goes on after its user got a signal. The kernel tells of any
// signal, a timer's or a child's as well, and programs don't expect an open or a stat of a file to be
// interrupted by those. A request that takes longer than this hangs, and whoever was killed wants to go.
const interruptGrace = 2 * time.Second

// until returns a context that ends some time after the kernel said that the user got a signal.
func until(cancel <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancel(context.Background())
	if cancel == nil {
		return ctx, end
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-cancel:
		case <-done:
			return
		}
		select {
		case <-time.After(interruptGrace):
			end()
		case <-done:
		}
	}()
	return ctx, sync.OnceFunc(func() {
		close(done)
		end()
	})
}

// Lookup finds a name. The kernel keeps none: the next lookup asks again.
func (f *FS) Lookup(cancel <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if in.NodeId != rootID {
		return fuse.ENOTDIR
	}
	ctx, end := until(cancel)
	defer end()
	info, err := f.backend.Info(ctx, name)
	if err != nil {
		return status(err)
	}
	out.NodeId = f.inodes.found(&info).id
	f.attr(&info, &out.Attr)
	return fuse.OK
}

// Forget tells how many lookups of a node the kernel has forgotten.
func (f *FS) Forget(node, lookups uint64) { f.inodes.forget(node, lookups) }

// GetAttr describes a node as it is now.
func (f *FS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if in.NodeId == rootID {
		out.Attr = fuse.Attr{Ino: rootID, Mode: dirMode, Nlink: 2, Owner: f.owner, Blksize: blockSize}
		return fuse.OK
	}
	ctx, end := until(cancel)
	defer end()
	_, info, err := f.describe(ctx, in.NodeId)
	if err == nil {
		f.attr(&info, &out.Attr)
	}
	return status(err)
}

// SetAttr refuses what belongs to vlmc. Times follow the volume, so setting them changes nothing
// but is no error; a size may be "set" to what it is.
func (f *FS) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if in.NodeId == rootID {
		return fuse.EPERM
	}
	ctx, end := until(cancel)
	defer end()
	_, info, err := f.describe(ctx, in.NodeId)
	if err != nil {
		return status(err)
	}
	if size, ok := in.GetSize(); ok && size != uint64(info.Size) {
		return fuse.EPERM
	}
	if in.Valid&(fuse.FATTR_MODE|fuse.FATTR_UID|fuse.FATTR_GID) != 0 {
		return fuse.EPERM
	}
	f.attr(&info, &out.Attr)
	return fuse.OK
}

// blockSize is that of a page: the kernel takes what a file system says for a limit in places.
const blockSize = 4096

func (f *FS) attr(info *mapper.Info, a *fuse.Attr) {
	*a = fuse.Attr{
		Ino: number(info.UUID), Size: uint64(info.Size), Blocks: uint64(info.Size+511) / 512,
		Atime: uint64(info.Modified), Mtime: uint64(info.Modified), Ctime: uint64(info.Modified),
		Mode: volumeMode, Nlink: 1, Owner: f.owner, Blksize: blockSize,
	}
	if info.Flags&flagReadOnly != 0 {
		a.Mode = snapshotMode
	}
}

// StatFs says nothing of the storage, which isn't known here.
func (f *FS) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	*out = fuse.StatfsOut{Bsize: blockSize, Frsize: 4096, NameLen: nameMax}
	return fuse.OK
}
