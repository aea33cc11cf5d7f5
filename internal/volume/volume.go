// Package volume is the client of a node: it joins the segment, and reads, writes and manages
// volumes through vlmcd and mapperd. Tools and endpoints use it; it knows no map and no storage.
package volume

import (
	"context"

	"archipelago/internal/config"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Options are what Dial needs besides the configuration.
type Options struct {
	Role        string      // shown in the port table; "" = "tool"
	PortStart   xseg.PortNo // 0 = the configured range for tools
	PortEnd     xseg.PortNo
	Slots       int   // per channel; 0 = 64
	BufferBytes int64 // of each channel's buffer area; 0 = 16 MiB
}

// Client is a connection to a running node. Safe for use by many goroutines.
type Client struct{ _ int }

// Dial joins the node. xseg.ErrNotRunning or xseg.ErrNoSegment if it isn't there.
func Dial(ctx context.Context, cfg *config.Config, opts Options) (*Client, error) { panic("stub") }

// Close leaves the node. Volumes stay open on it.
func (c *Client) Close() error { panic("stub") }

// Create makes a blank volume. objectSize 0 = default. Errors are those of package mapper, wrapped.
func (c *Client) Create(ctx context.Context, name string, size, objectSize int64) (mapper.Info, error) {
	panic("stub")
}

// Clone makes a volume from a snapshot; size 0 = the snapshot's.
func (c *Client) Clone(ctx context.Context, name, snapshot string, size int64) (mapper.Info, error) {
	panic("stub")
}

// Snapshot makes a snapshot of a volume.
func (c *Client) Snapshot(ctx context.Context, name, snapshot string) (mapper.Info, error) {
	panic("stub")
}

// Remove removes a volume or a snapshot.
func (c *Client) Remove(ctx context.Context, name string) error { panic("stub") }

// Info describes a volume.
func (c *Client) Info(ctx context.Context, name string) (mapper.Info, error) { panic("stub") }

// List calls f for each volume name in byte order until f fails.
func (c *Client) List(ctx context.Context, f func(name string) error) error { panic("stub") }

// Open opens a volume for I/O.
func (c *Client) Open(ctx context.Context, name string) (*Volume, error) { panic("stub") }

// CloseVolume flushes a volume and releases its lock.
func (c *Client) CloseVolume(ctx context.Context, name string) error { panic("stub") }

// Volume is an open volume. Safe for use by many goroutines. ReadAt, WriteAt, WriteZeroes, Discard
// and Flush block; any length; they split as needed.
type Volume struct{ _ int }

// Info returns what Open said.
func (v *Volume) Info() mapper.Info { panic("stub") }

// ReadAt fills p from off.
func (v *Volume) ReadAt(ctx context.Context, p []byte, off int64) error { panic("stub") }

// WriteAt writes p at off; it survives the death of every process.
func (v *Volume) WriteAt(ctx context.Context, p []byte, off int64) error { panic("stub") }

// WriteZeroes makes the range read as zeros.
func (v *Volume) WriteZeroes(ctx context.Context, off, n int64) error { panic("stub") }

// Discard gives the range back; what it reads as afterwards is zeros or the old bytes.
func (v *Volume) Discard(ctx context.Context, off, n int64) error { panic("stub") }

// Flush makes every acknowledged write durable.
func (v *Volume) Flush(ctx context.Context) error { panic("stub") }
