package nbdd

import (
	"errors"
	"fmt"
	"io"

	"archipelago/internal/nbd"
)

// receive reads n bytes of data of a write from the client into the buffer of an IO. An errno
// means that there is no IO, but the data was taken from the stream; an error ends the connection.
func (c *conn) receive(fua bool, off uint64, n int) (IO, nbd.Errno, error) {
	w, errno := c.prepare(Write, fua, off, n)
	if errno != 0 {
		return nil, errno, c.in.skip(n)
	}
	return c.receiveInto(w, fua, off, 0)
}

// receiveInto is receive with the IO, whose first got bytes are there.
func (c *conn) receiveInto(w IO, fua bool, off uint64, got int) (IO, nbd.Errno, error) {
	more, err := c.in.fill(w.Data()[got:], c.srv.limits.Stall)
	got += more
	if err == nil {
		return w, 0, nil
	}
	switch {
	case errors.Is(err, errStall):
		return c.receiveSlowly(w, fua, off, got)
	case errors.Is(err, errHandOver):
		c.in.unread(w.Data()[:got])
	}
	c.put(w)
	return nil, 0, midWrite(err)
}

// receiveSlowly goes on where a client stopped inside the data of a write: without a buffer of the
// backend, for nobody knows when the client will go on.
func (c *conn) receiveSlowly(w IO, fua bool, off uint64, got int) (IO, nbd.Errno, error) {
	n := len(w.Data())
	if !c.srv.heap.take(n) {
		c.put(w)
		return nil, 0, errBudget
	}
	defer c.srv.heap.give(n)
	data := make([]byte, n)
	copy(data, w.Data()[:got])
	c.put(w)
	more, err := c.in.fill(data[got:], 0)
	if errors.Is(err, errHandOver) {
		c.in.unread(data[:got+more])
	}
	if err != nil {
		return nil, 0, midWrite(err)
	}
	w, errno := c.prepare(Write, fua, off, n)
	if errno != 0 {
		return nil, errno, nil
	}
	copy(w.Data(), data)
	return w, 0, nil
}

// midWrite marks an end of the stream as one that no orderly client causes.
func midWrite(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read the data of a write: %w", err)
}
