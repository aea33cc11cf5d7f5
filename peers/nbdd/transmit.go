package nbdd

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"archipelago/internal/nbd"
)

// transmit serves requests until the client ends the session, or something is wrong.
func (c *conn) transmit() error {
	if err := c.resume(); err != nil {
		return err
	}
	for {
		if c.filling.io != nil {
			if err := c.fillOn(); err != nil {
				return err
			}
			continue
		}
		b := c.in.buffered()
		if len(b) < nbd.RequestSize {
			if err := c.moreRequests(); err != nil {
				return err
			}
			continue
		}
		q, err := nbd.DecodeRequest(b)
		if err != nil {
			return err
		}
		c.in.use(nbd.RequestSize)
		if err := c.handle(q); err != nil {
			return err
		}
	}
}

// moreRequests ends the batch: what was answered on the way is sent, and the next is read. If that
// isn't there yet the loop will read it, as long as it can.
func (c *conn) moreRequests() error {
	partial := len(c.in.buffered()) > 0
	c.flush()
	err := c.in.moreIfAny()
	if errors.Is(err, unix.EAGAIN) {
		c.lend()
		return nil
	}
	if partial && errors.Is(err, io.EOF) {
		return fmt.Errorf("client left inside a request: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// handle starts one request.
func (c *conn) handle(q nbd.Request) error {
	if q.Command == nbd.CmdDisc {
		return errDone
	}
	if q.Command == nbd.CmdWrite && q.Length > nbd.MaxPayload {
		return fmt.Errorf("client writes %d bytes at once, at most %d are allowed", q.Length, nbd.MaxPayload)
	}
	if c.inflight.Load() >= int64(c.srv.limits.Requests) {
		c.flush()
		c.waitInflight(int64(c.srv.limits.Requests) - 1)
	}
	c.inflight.Add(1)
	if errno := c.check(q); errno != 0 {
		c.answer(q, errno)
		if q.Command == nbd.CmdWrite {
			return c.in.skip(int(q.Length))
		}
		return nil
	}
	return c.start(q)
}

// known are the flags that each command may have.
var known = [...]uint16{
	nbd.CmdRead:        nbd.CmdFlagFUA | nbd.CmdFlagDF,
	nbd.CmdWrite:       nbd.CmdFlagFUA,
	nbd.CmdFlush:       nbd.CmdFlagFUA,
	nbd.CmdTrim:        nbd.CmdFlagFUA,
	nbd.CmdCache:       nbd.CmdFlagFUA,
	nbd.CmdWriteZeroes: nbd.CmdFlagFUA | nbd.CmdFlagNoHole | nbd.CmdFlagFastZero,
	nbd.CmdBlockStatus: nbd.CmdFlagFUA | nbd.CmdFlagReqOne,
}

// check says what is wrong with a request.
func (c *conn) check(q nbd.Request) nbd.Errno {
	if int(q.Command) >= len(known) || q.Flags&^known[q.Command] != 0 {
		return nbd.EINVAL
	}
	if q.Flags&nbd.CmdFlagDF != 0 && !c.structured {
		return nbd.EINVAL
	}
	if c.info.ReadOnly && modifies(q.Command) {
		return nbd.EPERM
	}
	if q.Command == nbd.CmdFlush {
		if q.Offset != 0 || q.Length != 0 {
			return nbd.EINVAL
		}
		return 0
	}
	return c.checkRange(q)
}

func modifies(cmd nbd.Command) bool {
	return cmd == nbd.CmdWrite || cmd == nbd.CmdTrim || cmd == nbd.CmdWriteZeroes
}

func (c *conn) covers(off, n uint64) bool { return n <= c.info.Size && off <= c.info.Size-n }

// resized asks for the size of the export again and says whether it covers a range now. NBD has no
// word for a new size, but a client may have learnt it elsewhere: the kernel's is told by netlink.
func (c *conn) resized(off, n uint64) bool {
	info, err := c.srv.backend.Info(c.ctx, c.info.Name)
	if err != nil || info.ID != c.info.ID {
		return false
	}
	c.info.Size = info.Size
	return c.covers(off, n)
}

func (c *conn) checkRange(q nbd.Request) nbd.Errno {
	length := uint64(q.Length)
	if !c.covers(q.Offset, length) && !c.resized(q.Offset, length) {
		if q.Command == nbd.CmdWrite || q.Command == nbd.CmdWriteZeroes {
			return nbd.ENOSPC
		}
		return nbd.EINVAL
	}
	if unit := uint64(max(1, c.info.MinBlock)); q.Offset%unit != 0 || length%unit != 0 {
		return nbd.EINVAL
	}
	switch q.Command {
	case nbd.CmdRead:
		if length > nbd.MaxPayload {
			return nbd.EOVERFLOW
		}
	case nbd.CmdWriteZeroes:
		// Without a hole the zeros are written one by one: no faster than a write.
		if slow := nbd.CmdFlagNoHole | nbd.CmdFlagFastZero; q.Flags&slow == slow {
			return nbd.ENOTSUP
		}
	case nbd.CmdBlockStatus:
		if c.contexts == 0 || length == 0 {
			return nbd.EINVAL
		}
	}
	return 0
}
