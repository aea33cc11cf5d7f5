package vlmcd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
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
//
// A stop takes seconds at most. Requests that wait for something then (another node's lock, say)
// aren't answered: a client that got an error would pass it on to a guest. They are left as a
// killed process leaves them, and their clients push them again to the successor. For that the
// ports stay bound, on loops that run on, until the process ends: the caller MUST end it.
func Run(ctx context.Context, cfg *config.Config, role string) error {
	p, err := peer.Join(ctx, cfg, role)
	if err != nil {
		return err
	}
	s := &service{peer: p, left: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		err := s.serve(ctx)
		s.endTimers()
		ended <- errors.Join(err, p.Leave())
	}()
	err = s.wait(ctx, ended)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it was starting
	}
	return err
}

// Bounds of a stop.
const (
	// restPatience is how long what has begun may take to end: a flush to a slow disk, say.
	restPatience = 10 * time.Second
	// leavePatience is for the rest: answers going out, sockets and ports given back.
	leavePatience = 2 * time.Second
)

// service is a running role.
type service struct {
	peer    *peer.Peer
	threads []*thread
	left    chan struct{} // closed when a stop has come to rest with requests that wait
}

// wait returns how the service ended, or nil when a stop isn't to be waited for any longer.
func (s *service) wait(ctx context.Context, ended chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(restPatience + leavePatience)
	defer late.Stop()
	select {
	case err := <-ended:
		return err
	case <-s.left:
	case <-late.C:
	}
	s.peer.Log.Info("stopped; requests that wait are left to the successor")
	return nil
}

// thread is one port with its loop.
type thread struct {
	peer   *peer.Peer
	loop   *xseg.Loop
	port   *xseg.Port
	rows   []*xseg.VolumeRow // inherited
	server server

	timersMu sync.Mutex
	left     bool // the segment, or about to: timers do nothing
}

func (s *service) serve(ctx context.Context) error {
	p := s.peer
	for i := range max(1, p.Role.NrThreads) {
		t, err := newThread(ctx, p, xseg.PortNo(p.Role.PortStart+i))
		if err != nil {
			return err
		}
		s.threads = append(s.threads, t)
	}
	return p.Serve(ctx, peer.Hooks{Started: s.start, Stopping: s.stop})
}

func (s *service) start(ctx context.Context) error {
	for _, t := range s.threads {
		if err := t.start(ctx); err != nil {
			if ctx.Err() != nil {
				s.stop() // the first threads may serve already
			}
			return err
		}
	}
	return nil
}

// stop lets what has begun end.
func (s *service) stop() {
	rested := make(chan int, len(s.threads))
	leave := sync.OnceFunc(func() { close(s.left) })
	for _, t := range s.threads {
		t.loop.Post(func() { t.server.stop(func(waiting int) { rested <- waiting }, leave) })
	}
	limit, waiting := time.After(restPatience), 0
	for range s.threads {
		select {
		case n := <-rested:
			waiting += n
		case <-limit:
			leave()
			return
		}
	}
	if waiting > 0 {
		leave()
	}
}

// newThread binds a port: that waits until what a predecessor had passed on has ended.
func newThread(ctx context.Context, p *peer.Peer, no xseg.PortNo) (*thread, error) {
	loop, err := p.NewLoop()
	if err != nil {
		return nil, err
	}
	t := &thread{peer: p, loop: loop}
	t.server.slow = slowLog{log: p.Log, after: t.after}
	t.port, err = loop.Bind(ctx, no, xseg.BindOptions{Role: p.Role.Name, Handler: t.server.serve})
	if err != nil {
		return nil, fmt.Errorf("role %s: bind port %d: %w", p.Role.Name, no, err)
	}
	t.rows = t.port.InheritVolumes(func(u xseg.UUID) bool { return PortOf(p.Role, u) == no })
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

		Claim: t.port.ClaimVolume, Unmetered: t.unmetered, Inherited: t.rows,

		CopyUpRate: int64(t.peer.Role.CopyUpRate) << 10,
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

// unmetered is Config.Unmetered.
func (t *thread) unmetered(name string, cause error) {
	t.port.MissVolume()
	t.peer.Log.Warn("volume is served without counters", "volume", name, "error", cause)
}

// after is Config.After.
func (t *thread) after(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		t.timersMu.Lock()
		defer t.timersMu.Unlock()
		if !t.left {
			t.loop.Post(f)
		}
	})
}

// endTimers makes timers that are still to come harmless: a loop can't be poked when the segment is
// no longer mapped.
func (s *service) endTimers() {
	for _, t := range s.threads {
		t.timersMu.Lock()
		t.left = true
		t.timersMu.Unlock()
	}
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
