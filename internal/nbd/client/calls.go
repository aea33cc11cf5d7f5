package client

import (
	"context"
	"fmt"

	"archipelago/internal/nbd"
)

// ReadAt fills p from off. Any length; blocks.
func (c *Client) ReadAt(ctx context.Context, p []byte, off int64) error {
	return c.split(off, int64(len(p)), nbd.MaxPayload, func(at, n int64) error {
		return c.request(ctx, nbd.CmdRead, 0, at, n, p[at-off:at-off+n])
	})
}

// WriteAt writes p at off; it survives a crash of the server's processes when it has returned, and
// a power cut after a Flush. Any length; blocks.
func (c *Client) WriteAt(ctx context.Context, p []byte, off int64) error {
	return c.write(ctx, 0, p, off)
}

// WriteDurable is WriteAt that survives a power cut too (FUA).
func (c *Client) WriteDurable(ctx context.Context, p []byte, off int64) error {
	return c.write(ctx, nbd.CmdFlagFUA, p, off)
}

func (c *Client) write(ctx context.Context, flags uint16, p []byte, off int64) error {
	return c.split(off, int64(len(p)), nbd.MaxPayload, func(at, n int64) error {
		return c.request(ctx, nbd.CmdWrite, flags, at, n, p[at-off:at-off+n])
	})
}

// Flush makes durable whatever was written before.
func (c *Client) Flush(ctx context.Context) error {
	return c.request(ctx, nbd.CmdFlush, 0, 0, 0, nil)
}

// longest is the longest request without data: the length has 32 bits; less 64 KiB, so that the
// pieces stay aligned.
const longest = 1<<32 - 1<<16

// Trim gives a range back; what it reads as afterwards is undefined.
func (c *Client) Trim(ctx context.Context, off, n int64) error {
	return c.split(off, n, longest, func(at, n int64) error {
		return c.request(ctx, nbd.CmdTrim, 0, at, n, nil)
	})
}

// WriteZeroes makes a range read as zeros. flags: nbd.CmdFlagNoHole, nbd.CmdFlagFastZero, …
func (c *Client) WriteZeroes(ctx context.Context, flags uint16, off, n int64) error {
	return c.split(off, n, longest, func(at, n int64) error {
		return c.request(ctx, nbd.CmdWriteZeroes, flags, at, n, nil)
	})
}

// Cache asks the server to warm a range up.
func (c *Client) Cache(ctx context.Context, off, n int64) error {
	return c.split(off, n, longest, func(at, n int64) error {
		return c.request(ctx, nbd.CmdCache, 0, at, n, nil)
	})
}

// Extent is a run of bytes with the same allocation state.
type Extent struct {
	Length uint32
	State  uint32 // nbd.StateHole, nbd.StateZero
}

// BlockStatus returns the allocation state of the bytes from off on, up to n of them or more.
func (c *Client) BlockStatus(ctx context.Context, off, n int64) ([]Extent, error) {
	if n <= 0 || n > longest {
		return nil, ErrRange
	}
	k := newCall(nbd.Request{Command: nbd.CmdBlockStatus, Offset: uint64(off), Length: uint32(n)}, nil)
	if err := c.do(ctx, k); err != nil {
		return nil, fmt.Errorf("NBD block status of %d bytes at %d: %w", n, off, err)
	}
	return k.extents, nil
}

// split cuts a range into requests and runs them one after another.
func (c *Client) split(off, n, most int64, request func(at, n int64) error) error {
	if off < 0 || n < 0 || off > c.Size()-n {
		return ErrRange
	}
	for n > 0 {
		k := min(n, most)
		if err := request(off, k); err != nil {
			return err
		}
		off, n = off+k, n-k
	}
	return nil
}

var names = map[nbd.Command]string{
	nbd.CmdRead: "read", nbd.CmdWrite: "write", nbd.CmdFlush: "flush", nbd.CmdTrim: "trim",
	nbd.CmdCache: "cache", nbd.CmdWriteZeroes: "write zeros",
}

func (c *Client) request(ctx context.Context, cmd nbd.Command, flags uint16, off, n int64, data []byte) error {
	k := newCall(nbd.Request{Command: cmd, Flags: flags, Offset: uint64(off), Length: uint32(n)}, data)
	if err := c.do(ctx, k); err != nil {
		return fmt.Errorf("NBD %s of %d bytes at %d: %w", names[cmd], n, off, err)
	}
	return nil
}
