package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"archipelago/xseg"
)

// connectPatience is how long a connect waits for a peer that is being restarted before the node
// counts as not running: long enough for a restart, short enough for a command line.
const connectPatience = 5 * time.Second

// The mapper gets control requests only: few slots, and room for the largest page of names.
const (
	mapperSlots       = 16
	mapperBufferBytes = 1 << 20
)

// link is the channel to one port, connected when it is first needed.
type link struct {
	mu     sync.Mutex // held while connecting, so that others wait instead of connecting too
	ch     *xseg.Channel
	roomMu sync.Mutex
	onRoom []func()
}

// link returns the link to a port, which may not be connected yet.
func (c *Client) link(to xseg.PortNo) *link {
	c.linksMu.Lock()
	defer c.linksMu.Unlock()
	l := c.links[to]
	if l == nil {
		l = &link{}
		c.links[to] = l
	}
	return l
}

// connect returns the connected link to a port.
func (c *Client) connect(ctx context.Context, to xseg.PortNo) (*link, error) {
	l := c.link(to)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ch != nil {
		return l, nil
	}
	opts := xseg.ChannelOptions{Slots: c.opts.Slots, BufferBytes: c.opts.BufferBytes, Wait: true,
		RecoverySeconds: c.opts.RecoverySeconds}
	if to == c.mapper {
		opts.Slots, opts.BufferBytes = mapperSlots, mapperBufferBytes
	}
	ch, err := c.dialPort(ctx, to, opts)
	if err != nil {
		return nil, fmt.Errorf("connect to port %d: %w", to, err)
	}
	ch.OnRoom(l.room)
	l.ch = ch
	return l, nil
}

// dialPort makes a channel, waiting for a peer that is being restarted; xseg.ErrNotRunning if that
// takes too long.
func (c *Client) dialPort(ctx context.Context, to xseg.PortNo, opts xseg.ChannelOptions) (*xseg.Channel, error) {
	limited, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	ch, err := c.port.Connect(limited, to, opts)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil, xseg.ErrNotRunning
	}
	return ch, err
}

// room tells everybody who asked that slots or buffers became free. Runs on the loop.
func (l *link) room() {
	l.roomMu.Lock()
	all := l.onRoom
	l.roomMu.Unlock()
	for _, f := range all {
		f()
	}
}

func (l *link) addOnRoom(f func()) {
	l.roomMu.Lock()
	defer l.roomMu.Unlock()
	// A copy: room walks the old slice without the lock.
	l.onRoom = append(l.onRoom[:len(l.onRoom):len(l.onRoom)], f)
}
