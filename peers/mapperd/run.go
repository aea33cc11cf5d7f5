package mapperd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	blockers "archipelago/peers/blocker/remote"
	mappers "archipelago/peers/mapper/remote"
	"archipelago/peers/peer"
	"archipelago/xseg"
)

// Tuning.
const (
	// channelBuffers is the size of the buffer area of each channel to a blocker: records, chunks
	// and lists are copied through it. Memory backs only what is used.
	channelBuffers = 16 << 20
	// closeLimit bounds how long an orderly stop flushes volumes. What is left then lies in the
	// pending logs, as after a kill.
	closeLimit = 20 * time.Second
)

// Run serves a role of type mapperd until ctx ends: that is a clean stop, and no error.
//
// Requests that come while it stops aren't answered: an error would reach a guest. They are left as
// a killed process leaves them, and their clients push them again to the successor. For that the
// port stays bound, on a loop that runs on, until the process ends: the caller MUST end it.
func Run(ctx context.Context, cfg *config.Config, role string) (err error) {
	p, err := peer.Join(ctx, cfg, role)
	if err != nil {
		return err
	}
	g := &gate{kept: make(chan struct{}), rested: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(serve(ctx, p, g), p.Leave()) }()
	err = g.wait(ended)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it was starting
	}
	return err
}

// wait returns how the service ended, or nil when only requests that it won't answer keep it.
func (g *gate) wait(ended chan error) error {
	for _, done := range []chan struct{}{g.kept, g.rested} {
		select {
		case err := <-ended:
			return err
		case <-done:
		}
	}
	return nil
}

func serve(ctx context.Context, p *peer.Peer, g *gate) error {
	loop, err := p.NewLoop()
	if err != nil {
		return err
	}
	// The port first: it is free only when a predecessor has ended, which had the locks and the
	// pending logs.
	port, err := loop.Bind(ctx, xseg.PortNo(p.Role.PortStart), xseg.BindOptions{
		Role: p.Role.Name, Handler: g.serve,
	})
	if err != nil {
		return fmt.Errorf("role %s: bind port %d: %w", p.Role.Name, p.Role.PortStart, err)
	}
	var e *Engine
	err = p.Serve(ctx, peer.Hooks{
		// The engine talks to the blockers through the loop, so the loop runs first.
		Started: func(ctx context.Context) (err error) {
			if e, err = openEngine(ctx, p, port); err == nil {
				e.Recover()
				handler := mappers.Serve(e)
				loop.Post(func() { g.open(handler) })
			}
			return err
		},
		Stopping: func() {
			defer close(g.rested)
			g.leave(loop)
			stop(p, e, peer.Replaced(ctx))
		},
	})
	return err
}

// gate keeps the requests that come before the engine is there, and those that come when it goes.
// On the loop only, but for the channels.
type gate struct {
	handler xseg.Handler
	early   []*xseg.Request
	leaving bool
	kept    chan struct{} // closed when a request is there that won't be answered
	rested  chan struct{} // closed when all others have been
}

func (g *gate) serve(r *xseg.Request) {
	if g.leaving {
		g.keep()
		return
	}
	if g.handler == nil {
		g.early = append(g.early, r)
		return
	}
	g.handler(r)
}

// leave begins to keep requests. A loop that has failed won't run it, so the wait has an end.
func (g *gate) leave(loop *xseg.Loop) {
	closed := make(chan struct{})
	loop.Post(func() {
		g.leaving = true
		close(closed)
	})
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}

// keep notes that a request is left to the successor.
func (g *gate) keep() {
	select {
	case <-g.kept:
	default:
		close(g.kept)
	}
}

func (g *gate) open(h xseg.Handler) {
	g.handler = h
	for _, r := range g.early {
		h(r)
	}
	g.early = nil
}

// openEngine connects to the blockers, waiting for them, and opens the store.
func openEngine(ctx context.Context, p *peer.Peer, port *xseg.Port) (*Engine, error) {
	maps, err := connect(ctx, p, port, p.Role.BlockermPort)
	if err != nil {
		return nil, err
	}
	blocks, err := connect(ctx, p, port, p.Role.BlockerbPort)
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	nodes := mapfmt.NodesSingle
	if p.Config.Nodes == mapfmt.NodesShared.String() {
		nodes = mapfmt.NodesShared
	}
	_, term := p.Segment.Lease()
	return New(Config{
		Maps: maps, Blocks: blocks, PendingDir: p.Config.PendingDir, Node: p.Config.NodeName,
		MachineID: machineID(), BootID: boot, Nodes: nodes, Term: term, Log: p.Log,
	})
}

func connect(ctx context.Context, p *peer.Peer, port *xseg.Port, to int) (blocker.Store, error) {
	ch, err := port.Connect(ctx, xseg.PortNo(to), xseg.ChannelOptions{
		Slots: p.Role.NrOps, BufferBytes: channelBuffers, Wait: true,
	})
	if err != nil {
		return nil, fmt.Errorf("role %s: blocker at port %d: %w", p.Role.Name, to, err)
	}
	return blockers.New(ch), nil
}

// stop closes all volumes, so that nothing acknowledged is left in memory and another node may use
// the store. It gives up after a while: blockers that don't answer must not keep the node up. For a
// successor nothing is closed: it goes on with the locks and the pending logs, as after a kill.
func stop(p *peer.Peer, e *Engine, replaced bool) {
	if e == nil {
		return
	}
	end := func() error { return errors.Join(e.CloseVolumes(), e.Close()) }
	if replaced {
		end = e.Close
	}
	closed := make(chan error, 1)
	go func() { closed <- end() }()
	select {
	case err := <-closed:
		if err != nil {
			p.Log.Error("volumes not closed", "error", err)
		}
	case <-time.After(closeLimit):
		p.Log.Error("volumes not closed in time", "limit", closeLimit)
	}
}
