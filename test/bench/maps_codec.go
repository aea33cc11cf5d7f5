package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// codecRounds is how often each side of the comparison is measured, in turn.
const codecRounds = 25

// chunkBytes is a chunk in memory and in its file, and room for a copy.
type chunkBytes struct {
	id         mapfmt.ChunkID
	objectSize int64
	chunk      mapfmt.Chunk
	file, copy []byte
}

// codecs compares encode and decode of chunks with a copy and a CRC of the same bytes.
func codecs(ctx context.Context, o *mapsOptions) (string, error) {
	t := newTable("entries", "bytes", "encode MB/s", "decode MB/s", "memcpy MB/s", "CRC-32C MB/s", "encode/CRC", "decode/CRC")
	for _, kind := range []struct {
		name  string
		entry func(mapper.Info, int64) mapfmt.Entry
	}{
		{"one object of its own each", ownEntry},
		{"three levels and a hashed object each", largestEntry},
	} {
		c, err := newChunkBytes(kind.entry)
		if err != nil {
			return "", err
		}
		row, err := c.measure(ctx, o.time)
		if err != nil {
			return "", err
		}
		t.add(append([]string{kind.name}, row...)...)
	}
	return "### Encode and decode\n\n" + t.String() + "\nOf chunks of 1024 entries, per second of processor time: medians " +
		"(best) of short rounds, beside a copy into\nwarm memory and a CRC-32C of the same bytes in the same rounds. Each " +
		"encoding is made in new memory, and\neach decoding makes a map that can be used, with every field checked.\n", nil
}

func newChunkBytes(entry func(mapper.Info, int64) mapfmt.Entry) (*chunkBytes, error) {
	v := mapper.Info{UUID: mapfmt.UUID{9}, ObjectSize: mapfmt.DefaultObjectSize}
	c := &chunkBytes{id: mapfmt.ChunkID{Owner: v.UUID, Epoch: 1}, objectSize: v.ObjectSize}
	for i := range mapfmt.ChunkEntries {
		e := entry(v, int64(i))
		if err := c.chunk.Set(i, &e); err != nil {
			return nil, err
		}
	}
	var err error
	c.file, err = c.encode()
	c.copy = make([]byte, len(c.file))
	return c, err
}

func (c *chunkBytes) encode() ([]byte, error) {
	b, _, err := mapfmt.EncodeChunk(c.id, c.objectSize, 1, &c.chunk)
	return b, err
}

func (c *chunkBytes) decode() error {
	_, _, err := mapfmt.DecodeChunk(c.file, c.id, c.objectSize)
	return err
}

func (c *chunkBytes) measure(ctx context.Context, length time.Duration) ([]string, error) {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sides := []func() error{
		func() error { _, err := c.encode(); return err },
		c.decode,
		func() error { copy(c.copy, c.file); return nil },
		func() error { crc32.Checksum(c.file, castagnoli); return nil },
	}
	speeds := make([][]float64, len(sides))
	for range codecRounds {
		for i, f := range sides {
			speed, err := bytesPerSecond(ctx, length, len(c.file), f)
			if err != nil {
				return nil, err
			}
			speeds[i] = append(speeds[i], speed)
		}
	}
	row := []string{fmt.Sprint(len(c.file))}
	for _, list := range speeds {
		row = append(row, fmt.Sprintf("%.0f (%.0f)", median(list)/1e6, most(list)/1e6))
	}
	crc := speeds[3]
	return append(row, fmt.Sprintf("%.2f", median(ratiosOf(speeds[0], crc))),
		fmt.Sprintf("%.2f", median(ratiosOf(speeds[1], crc)))), nil
}

// bytesPerSecond runs f, which handles n bytes, for a while of processor time, which other load
// changes less than the clock; that of the garbage collector counts.
func bytesPerSecond(ctx context.Context, length time.Duration, n int, f func() error) (float64, error) {
	// So many between two looks at the time, which would count in the fastest.
	const batch = 32
	start, err := processorTime()
	for runs := batch; err == nil; runs += batch {
		for range batch {
			if err := f(); err != nil {
				return 0, err
			}
		}
		now, err := processorTime()
		if err = errors.Join(err, ctx.Err()); err != nil {
			return 0, err
		}
		if took := now - start; took >= length {
			return float64(runs) * float64(n) / took.Seconds(), nil
		}
	}
	return 0, err
}
