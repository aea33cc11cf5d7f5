package volume

import (
	"context"

	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Acquire takes the lock of a volume for this node, and opens it. Idempotent; never waits:
// mapper.ErrBusy, naming the owner, if another node holds it.
func (c *Client) Acquire(ctx context.Context, name string) (mapper.Info, error) {
	info, err := c.change(ctx, name, name, newControl(xseg.OpAcquire, name))
	return info, wrap(name, "lock", err)
}

// Release flushes a volume and gives its lock back. Of what isn't locked: success. The lock of
// another node: mapper.ErrBusy; with force it is broken, and nothing keeps that node from writing
// if it is still alive.
func (c *Client) Release(ctx context.Context, name string, force bool) error {
	q := newControl(xseg.OpRelease, name)
	if force {
		q.flags = xseg.ReqForce
	}
	_, err := c.change(ctx, name, name, q)
	return wrap(name, "unlock", err)
}
