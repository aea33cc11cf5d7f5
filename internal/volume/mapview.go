package volume

import (
	"context"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// How many map entries, and ranges of a difference, are asked for at once.
const (
	entriesAtOnce = mapfmt.ChunkEntries
	rangesAtOnce  = 1024
)

// Usage says what the map of a volume or snapshot refers to. It reads the whole map.
func (c *Client) Usage(ctx context.Context, name string) (mapper.Usage, error) {
	var usage mapper.Usage
	err := c.ask(ctx, c.mapper, newControl(xseg.OpUsage, name), func(k *xseg.Call) (err error) {
		usage, err = remote.Usage(k.Payload()[:k.PayloadLen()])
		return err
	})
	return usage, wrap(name, "usage", err)
}

// Diff calls f for the ranges in which a volume or snapshot may differ from another one, in order,
// until f fails.
func (c *Client) Diff(ctx context.Context, name, other string, f func(mapper.Range) error) error {
	err := checkName(other)
	for index, more := int64(0), true; err == nil && more; {
		var page []mapper.Range
		from := index
		page, index, more, err = c.diffPage(ctx, name, other, from)
		if err == nil && more && index <= from {
			err = fmt.Errorf("%w: differences go on at object %d after %d", ErrReply, index, from)
		}
		for i := 0; err == nil && i < len(page); i++ {
			if err = f(page[i]); err != nil {
				return err
			}
		}
	}
	return wrap(name, "compare with "+other, err)
}

func (c *Client) diffPage(ctx context.Context, name, other string, from int64) (page []mapper.Range, next int64, more bool, err error) {
	q := newNamed(xseg.OpDiff, name, other)
	q.room = max(rangesAtOnce*remote.RangeBytes, remote.NameArgsBytes)
	q.offset, q.size = uint64(from), rangesAtOnce
	err = c.ask(ctx, c.mapper, q, func(k *xseg.Call) (err error) {
		if page, err = ranges(k.Data(), k.Serviced()); err == nil {
			next, more, err = remote.DiffNext(k.Payload()[:k.PayloadLen()])
		}
		return err
	})
	return page, next, more, err
}

// ranges decodes n ranges.
func ranges(b []byte, n uint64) ([]mapper.Range, error) {
	if n > uint64(len(b)/remote.RangeBytes) {
		return nil, fmt.Errorf("%w: %d ranges in %d bytes", ErrReply, n, len(b))
	}
	page := make([]mapper.Range, n)
	for i := range page {
		r, err := remote.Range(b[i*remote.RangeBytes:])
		if err != nil {
			return nil, err
		}
		page[i] = r
	}
	return page, nil
}

// Map calls f for every entry of the map of a volume that refers to something, in order, until f
// fails.
func (c *Client) Map(ctx context.Context, name string, f func(index int64, e *mapfmt.Entry) error) error {
	info, err := c.askInfo(ctx, c.mapper, name, newControl(xseg.OpInfo, name))
	if err != nil {
		return wrap(name, "map", err)
	}
	if info.ObjectSize <= 0 {
		return wrap(name, "map", fmt.Errorf("%w: objects of %d bytes", ErrReply, info.ObjectSize))
	}
	count := mapfmt.ObjectCount(info.Size, info.ObjectSize)
	for index := int64(0); index < count; index += entriesAtOnce {
		page, err := c.mapPage(ctx, &info, index, min(entriesAtOnce, count-index))
		if err != nil {
			return wrap(name, "map", err)
		}
		for i := range page {
			if page[i].IsZero() {
				continue
			}
			if err := f(index+int64(i), &page[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) mapPage(ctx context.Context, info *mapper.Info, index, count int64) ([]mapfmt.Entry, error) {
	q := newControl(xseg.OpMapr, info.Name)
	q.volume, q.offset, q.size = info.UUID, uint64(index), uint64(count)
	q.room = int(count) * remote.EntryBytes
	page := make([]mapfmt.Entry, count)
	err := c.ask(ctx, c.mapper, q, func(k *xseg.Call) error {
		b := k.Data()
		if len(b) < q.room {
			return fmt.Errorf("%w: %d map entries in %d bytes", ErrReply, count, len(b))
		}
		for i := range page {
			if err := remote.Entry(b[i*remote.EntryBytes:], &page[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return page, err
}
