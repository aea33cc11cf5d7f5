package vlmcd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"archipelago/internal/config"
	blockers "archipelago/peers/blocker/remote"
	mappers "archipelago/peers/mapper/remote"
	"archipelago/peers/peer"
	"archipelago/xseg"
)

// mapperBuffers is the buffer area of the channel to the mapper: for pages of map entries. That to
// the blocker has none: data stays in the buffers of the requests.
const mapperBuffers = 4 << 20

// Run serves a role of type vlmcd until ctx ends: that is a clean stop, and no error. It has a port
// and an engine per thread.
func Run(ctx context.Context, cfg *config.Config, role string) (err error) {
	p, err := peer.Join(cfg, role)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Leave()) }()
	err = serve(ctx, p)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it was starting
	}
	return err
}

// thread is one port with its loop.
type thread struct {
	peer   *peer.Peer
	loop   *xseg.Loop
	port   *xseg.Port
	server server
}

func serve(ctx context.Context, p *peer.Peer) error {
	threads := make([]*thread, max(1, p.Role.NrThreads))
	for i := range threads {
		t, err := newThread(ctx, p, xseg.PortNo(p.Role.PortStart+i))
		if err != nil {
			return err
		}
		threads[i] = t
	}
	return p.Serve(ctx, peer.Hooks{Started: func(ctx context.Context) error {
		for _, t := range threads {
			if err := t.start(ctx); err != nil {
				return err
			}
		}
		return nil
	}})
}

// newThread binds a port: that waits until what a predecessor had passed on has ended.
func newThread(ctx context.Context, p *peer.Peer, no xseg.PortNo) (*thread, error) {
	loop, err := p.NewLoop()
	if err != nil {
		return nil, err
	}
	t := &thread{peer: p, loop: loop}
	t.port, err = loop.Bind(ctx, no, xseg.BindOptions{Role: p.Role.Name, Handler: t.server.serve})
	if err != nil {
		return nil, fmt.Errorf("role %s: bind port %d: %w", p.Role.Name, no, err)
	}
	return t, nil
}

// start connects to the mapper and the blocker, waiting for them, and begins to serve.
func (t *thread) start(ctx context.Context) error {
	m, err := t.connect(ctx, t.peer.Role.MapperPort, mapperBuffers)
	if err != nil {
		return err
	}
	b, err := t.connect(ctx, t.peer.Role.BlockerbPort, 0)
	if err != nil {
		return err
	}
	e := New(Config{
		Mapper: mappers.New(m, mappers.OnLoop()),
		Blocks: blockers.New(b, blockers.OnLoop(), blockers.InSegment(t.peer.Segment)),
		After:  t.after,
		Route:  t.route,
	})
	t.loop.Post(func() { t.server.begin(e) })
	return nil
}

func (t *thread) connect(ctx context.Context, to int, buffers int64) (*xseg.Channel, error) {
	ch, err := t.port.Connect(ctx, xseg.PortNo(to), xseg.ChannelOptions{
		Slots: t.peer.Role.NrOps, BufferBytes: buffers, Wait: true,
	})
	if err != nil {
		return nil, fmt.Errorf("role %s: port %d: %w", t.peer.Role.Name, to, err)
	}
	return ch, nil
}

// after is Config.After.
func (t *thread) after(d time.Duration, f func()) {
	time.AfterFunc(d, func() { t.loop.Post(f) })
}

// route is Config.Route.
func (t *thread) route(u UUID) (port uint32, here bool) {
	no := PortOf(t.peer.Role, u)
	return uint32(no), no == t.port.No()
}

// PortOf returns the port of the thread that serves a volume.
func PortOf(r *config.Role, u UUID) xseg.PortNo {
	// UUIDs are random; both halves, because the version and the variant are not.
	hash := binary.LittleEndian.Uint64(u[:8]) ^ binary.LittleEndian.Uint64(u[8:])
	hash ^= hash >> 32
	return xseg.PortNo(r.PortStart) + xseg.PortNo(hash%uint64(max(1, r.NrThreads)))
}
