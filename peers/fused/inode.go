package fused

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"archipelago/peers/mapper"
)

// rootID is the node id of the directory; the kernel knows it without a lookup.
const rootID = 1

// inode is a volume that the kernel knows. It stands for the volume, not for a name: one that was
// removed and made anew is another one, and one that was renamed stays the same.
type inode struct {
	id   uint64
	uuid mapper.UUID
	size atomic.Int64 // as last heard of

	// Guarded by inodes.mu.
	name    string // under which it was found last
	lookups uint64 // that the kernel hasn't forgotten
}

// inodes are those that the kernel knows.
type inodes struct {
	mu     sync.Mutex
	last   uint64
	byID   map[uint64]*inode
	byUUID map[mapper.UUID]*inode
}

func newInodes() inodes {
	return inodes{last: rootID, byID: map[uint64]*inode{}, byUUID: map[mapper.UUID]*inode{}}
}

// found counts a lookup of a volume.
func (t *inodes) found(info *mapper.Info) *inode {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byUUID[info.UUID]
	if n == nil {
		t.last++
		n = &inode{id: t.last, uuid: info.UUID}
		t.byID[n.id], t.byUUID[n.uuid] = n, n
	}
	n.name = info.Name
	n.lookups++
	n.size.Store(info.Size)
	return n
}

// forget takes lookups back.
func (t *inodes) forget(id, lookups uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byID[id]
	if n == nil {
		return
	}
	n.lookups -= min(lookups, n.lookups)
	if n.lookups == 0 {
		delete(t.byID, id)
		delete(t.byUUID, n.uuid)
	}
}

// get returns the inode of an id and its present name.
func (t *inodes) get(id uint64) (*inode, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byID[id]
	if n == nil {
		return nil, ""
	}
	return n, n.name
}

// describe asks for the volume of an inode. What has its name now may be another volume: then
// errStale.
func (f *FS) describe(ctx context.Context, id uint64) (*inode, mapper.Info, error) {
	n, name := f.inodes.get(id)
	if n == nil {
		return nil, mapper.Info{}, errStale
	}
	info, err := f.backend.Info(ctx, name)
	if err == nil && info.UUID != n.uuid {
		err = errStale
	}
	if err != nil {
		return nil, mapper.Info{}, err
	}
	n.size.Store(info.Size)
	return n, info, nil
}

// number is the inode number that users see: the same for a volume whenever it is looked at.
func number(u mapper.UUID) uint64 {
	if n := binary.LittleEndian.Uint64(u[:8]); n > rootID {
		return n
	}
	return binary.LittleEndian.Uint64(u[8:]) | 1<<63
}
