package volume

import (
	"context"
	"fmt"

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
		q := newControl(xseg.OpSnapshot, name)
		q.args = make([]byte, remote.NameArgsBytes)
		remote.PutNameArgs(q.args, snapshot)
		info, err = c.askInfo(ctx, c.vlmcd.first, snapshot, q)
	}
	return info, wrap(name, "snapshot "+snapshot, err)
}

// Remove removes a volume or a snapshot: the one that has the name now, never a successor of that
// name.
func (c *Client) Remove(ctx context.Context, name string) error {
	info, err := c.askInfo(ctx, c.mapper, name, newControl(xseg.OpInfo, name))
	if err == nil {
		q := newControl(xseg.OpDelete, name)
		q.volume = info.UUID
		err = c.ask(ctx, c.vlmcd.first, q, nil)
	}
	return wrap(name, "remove", err)
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
