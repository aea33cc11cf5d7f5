package volume

import (
	"context"
	"encoding/binary"
	"fmt"

	"archipelago/xseg"
)

// pageBytes is the room for one page of names; many times the longest name.
const pageBytes = 64 << 10

// List calls f for each volume name in byte order until f fails.
func (c *Client) List(ctx context.Context, f func(name string) error) error {
	return c.ListAfter(ctx, "", f)
}

// ListAfter is List of the names that come after one, which need not exist.
func (c *Client) ListAfter(ctx context.Context, after string, f func(name string) error) error {
	for {
		page, err := c.page(ctx, after)
		if err != nil {
			return fmt.Errorf("list volumes: %w", err)
		}
		// A page that isn't full may still not be the last one: only an empty one says so whatever
		// the mapper thinks of pages.
		if len(page) == 0 {
			return nil
		}
		if after, err = eachName(page, after, f); err != nil {
			return err
		}
	}
}

// page returns the names after a cursor, as they came.
func (c *Client) page(ctx context.Context, after string) ([]byte, error) {
	q := newControl(xseg.OpList, after)
	q.room = pageBytes
	var page []byte
	err := c.askOnce(ctx, c.mapper, q, func(k *xseg.Call) error {
		if k.Errno() != 0 {
			return replyError(k)
		}
		if k.Serviced() > uint64(len(k.Data())) {
			return fmt.Errorf("%w: %d bytes of names in a buffer of %d", ErrReply, k.Serviced(), len(k.Data()))
		}
		page = append(page, k.Data()[:k.Serviced()]...)
		return nil
	})
	return page, err
}

// eachName calls f for the names of a page: each a little-endian uint16 length and its bytes, in
// rising order behind after. It returns the last one.
func eachName(page []byte, after string, f func(name string) error) (string, error) {
	for len(page) > 0 {
		if len(page) < 2 || len(page)-2 < int(binary.LittleEndian.Uint16(page)) {
			return after, fmt.Errorf("list volumes: %w: a name is cut off", ErrReply)
		}
		n := 2 + int(binary.LittleEndian.Uint16(page))
		name := string(page[2:n])
		if name <= after {
			return after, fmt.Errorf("list volumes: %w: %q after %q", ErrReply, name, after)
		}
		if err := f(name); err != nil {
			return after, err
		}
		after, page = name, page[n:]
	}
	return after, nil
}
