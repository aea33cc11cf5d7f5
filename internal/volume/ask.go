package volume

import (
	"context"
	"crypto/rand"
	"fmt"
	"syscall"

	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// maxHops limits how often one call follows "not me, that port": once is enough unless a peer is
// confused.
const maxHops = 3

// control is one control request. Its id is made once, so that a repeated one is recognised.
type control struct {
	op     uint32
	target string
	volume xseg.UUID
	id     xseg.RequestID
	args   []byte // goes into the data buffer
	inline []byte // goes into the payload
	room   int    // data buffer for the reply
	offset uint64 // what the operation makes of it
	size   uint64 // the same; 0 = the length of args, or else room
	flags  uint32
}

func newControl(op uint32, target string) *control {
	q := &control{op: op, target: target}
	_, _ = rand.Read(q.id[:]) // never fails
	return q
}

// askInfo makes a request whose reply describes the volume of that name.
func (c *Client) askInfo(ctx context.Context, to xseg.PortNo, name string, q *control) (mapper.Info, error) {
	var info mapper.Info
	err := c.ask(ctx, to, q, func(k *xseg.Call) (err error) {
		info, err = remote.Info(k.Payload()[:k.PayloadLen()], name)
		return err
	})
	return info, err
}

// ask makes a control request about a volume, following a vlmcd thread that names another one.
// take (may be nil) reads the reply if it is a success.
func (c *Client) ask(ctx context.Context, to xseg.PortNo, q *control, take func(*xseg.Call) error) error {
	if err := checkName(q.target); err != nil {
		return err
	}
	for range maxHops {
		next := xseg.PortNo(0)
		err := c.askOnce(ctx, to, q, func(k *xseg.Call) error {
			next = c.redirect(k, to)
			if k.Errno() == 0 && take != nil {
				return take(k)
			}
			return replyError(k)
		})
		if next == 0 {
			return err
		}
		to = next
	}
	return fmt.Errorf("%w: sent round in circles at port %d", ErrReply, to)
}

// redirect returns the port that a reply says to ask instead, or 0. A volume is served by one
// vlmcd thread: another one answers ESTALE with a description that has nothing but the right port.
func (c *Client) redirect(k *xseg.Call, asked xseg.PortNo) xseg.PortNo {
	if k.Errno() != syscall.ESTALE || !c.vlmcd.has(asked) {
		return 0
	}
	info, err := remote.Info(k.Payload()[:k.PayloadLen()], "")
	port := xseg.PortNo(info.Port)
	if err != nil || port == asked || !c.vlmcd.has(port) {
		return 0
	}
	return port
}

// replyError is the error that a reply tells of, or nil.
func replyError(k *xseg.Call) error {
	return asError(k.Errno(), k.Payload()[:k.PayloadLen()])
}

// askOnce sends a control request to one port and lets take read the reply, whatever its errno.
func (c *Client) askOnce(ctx context.Context, to xseg.PortNo, q *control, take func(*xseg.Call) error) error {
	l, err := c.connect(ctx, to)
	if err != nil {
		return err
	}
	k, err := l.ch.GetWait(ctx, max(len(q.args), q.room))
	if err != nil {
		return err
	}
	k.Op, k.Volume, k.RequestID = q.op, q.volume, q.id
	k.SetTarget(q.target)
	k.Flags, k.Offset, k.Size = q.flags, q.offset, uint64(q.room)
	if q.args != nil {
		k.Size = uint64(copy(k.Data(), q.args))
	}
	if q.size != 0 {
		k.Size = q.size
	}
	if q.inline != nil {
		k.SetPayloadLen(copy(k.Payload(), q.inline))
	}
	if err := k.Do(ctx); err != nil {
		return err
	}
	defer k.Put()
	return take(k)
}
