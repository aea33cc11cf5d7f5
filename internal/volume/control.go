package volume

import (
	"context"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// Create makes a blank volume. objectSize 0 = default. Errors are those of package mapper, wrapped.
func (c *Client) Create(ctx context.Context, name string, size, objectSize int64) (mapper.Info, error) {
	if size <= 0 || objectSize < 0 {
		return mapper.Info{}, wrap(name, "create", fmt.Errorf("%w: size %d, object size %d",
			mapper.ErrArgument, size, objectSize))
	}
	info, err := c.clone(ctx, name, remote.CloneArgs{Size: size, ObjectSize: objectSize})
	return info, wrap(name, "create", err)
}

// Clone makes a volume from a snapshot; size 0 = the snapshot's.
func (c *Client) Clone(ctx context.Context, name, snapshot string, size int64) (mapper.Info, error) {
	var info mapper.Info
	err := checkName(snapshot)
	if err == nil && size < 0 {
		err = fmt.Errorf("%w: size %d", mapper.ErrArgument, size)
	}
	if err == nil {
		info, err = c.clone(ctx, name, remote.CloneArgs{Origin: snapshot, Size: size})
	}
	return info, wrap(name, "clone "+snapshot, err)
}

func (c *Client) clone(ctx context.Context, name string, a remote.CloneArgs) (mapper.Info, error) {
	q := newControl(xseg.OpClone, name)
	q.args = make([]byte, remote.CloneArgsBytes)
	remote.PutCloneArgs(q.args, a)
	return c.askInfo(ctx, c.mapper, name, q)
}

// Snapshot makes a snapshot of a volume.
func (c *Client) Snapshot(ctx context.Context, name, snapshot string) (mapper.Info, error) {
	var info mapper.Info
	err := checkName(snapshot)
	if err == nil {
		q := newNamed(xseg.OpSnapshot, name, snapshot)
		info, err = c.askInfo(ctx, c.vlmcd.first, snapshot, q)
	}
	return info, wrap(name, "snapshot "+snapshot, err)
}

// newNamed is a control request with another name as its argument.
func newNamed(op uint32, target, other string) *control {
	q := newControl(op, target)
	q.args = make([]byte, remote.NameArgsBytes)
	remote.PutNameArgs(q.args, other)
	return q
}

// Remove removes a volume or a snapshot: the one that has the name now, never a successor of that
// name.
func (c *Client) Remove(ctx context.Context, name string) error {
	_, err := c.change(ctx, name, name, newControl(xseg.OpDelete, name))
	return wrap(name, "remove", err)
}

// Rename gives a volume or a snapshot another name.
func (c *Client) Rename(ctx context.Context, name, other string) (mapper.Info, error) {
	var info mapper.Info
	err := checkName(other)
	if err == nil {
		info, err = c.change(ctx, name, other, newNamed(xseg.OpRename, name, other))
	}
	return info, wrap(name, "rename to "+other, err)
}

// Rollback makes a volume as a snapshot is, with its size. What was written since is lost.
func (c *Client) Rollback(ctx context.Context, name, snapshot string) (mapper.Info, error) {
	var info mapper.Info
	err := checkName(snapshot)
	if err == nil {
		info, err = c.change(ctx, name, name, newNamed(xseg.OpRollback, name, snapshot))
	}
	return info, wrap(name, "roll back to "+snapshot, err)
}

// Resize gives a volume another size. What lies beyond it is lost; what a larger one adds is zeros.
func (c *Client) Resize(ctx context.Context, name string, size int64) (mapper.Info, error) {
	var info mapper.Info
	err := checkSize(size)
	if err == nil {
		q := newControl(xseg.OpResize, name)
		q.size = uint64(size)
		info, err = c.change(ctx, name, name, q)
	}
	return info, wrap(name, "resize", err)
}

// change asks for a map change of the volume that has the name now, never of a successor of that
// name; newName is the name that it has afterwards.
func (c *Client) change(ctx context.Context, name, newName string, q *control) (mapper.Info, error) {
	info, err := c.askInfo(ctx, c.mapper, name, newControl(xseg.OpInfo, name))
	if err != nil {
		return mapper.Info{}, err
	}
	q.volume = info.UUID
	if q.op == xseg.OpDelete || q.op == xseg.OpRelease { // nothing to describe in the reply
		return mapper.Info{}, c.ask(ctx, c.vlmcd.first, q, nil)
	}
	return c.askInfo(ctx, c.vlmcd.first, newName, q)
}

func checkSize(size int64) error {
	if err := mapfmt.CheckVolumeSize(size); err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrArgument, err)
	}
	return nil
}

// Info describes a volume.
func (c *Client) Info(ctx context.Context, name string) (mapper.Info, error) {
	info, err := c.askInfo(ctx, c.mapper, name, newControl(xseg.OpInfo, name))
	return info, wrap(name, "info", err)
}

// CloseVolume flushes a volume and releases its lock.
func (c *Client) CloseVolume(ctx context.Context, name string) error {
	return wrap(name, "close", c.ask(ctx, c.vlmcd.first, newControl(xseg.OpClose, name), nil))
}

// Open opens a volume for I/O.
func (c *Client) Open(ctx context.Context, name string) (*Volume, error) {
	v, err := c.open(ctx, name)
	return v, wrap(name, "open", err)
}

func (c *Client) open(ctx context.Context, name string) (*Volume, error) {
	info, err := c.askInfo(ctx, c.vlmcd.first, name, newControl(xseg.OpOpen, name))
	if err != nil {
		return nil, err
	}
	port := xseg.PortNo(info.Port)
	if port == 0 {
		port = c.vlmcd.first
	}
	if !c.vlmcd.has(port) {
		return nil, fmt.Errorf("%w: served at port %d", ErrReply, port)
	}
	l, err := c.connect(ctx, port)
	if err != nil {
		return nil, err
	}
	return &Volume{c: c, l: l, info: info}, nil
}
