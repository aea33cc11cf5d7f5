// Package peer is what every daemon shares: it joins the segment that the configuration names,
// logs as the role says, runs the loops, and tells the service manager (systemd, or
// `archipelago run`) that the peer is ready, alive and stopping. It knows no port and no operation.
//
// A daemon joins, makes its loops, binds its ports, serves, and leaves:
//
//	p, err := peer.Join(ctx, cfg, role)
//	defer p.Leave()
//	loop, err := p.NewLoop()
//	port, err := loop.Bind(ctx, …)
//	return p.Serve(ctx, peer.Hooks{})
//
// Signals are the program's: it ends ctx on SIGTERM and SIGINT. A role may share its process with
// others: then ctx carries a Host.
package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"archipelago/internal/config"
	"archipelago/xseg"
)

// Peer is a running role. Not safe for use by many goroutines, but its fields are.
type Peer struct {
	Config  *config.Config
	Role    *config.Role
	Log     *slog.Logger
	Segment *xseg.Segment

	host    *Host // nil: the process serves this role alone
	manager manager

	mu    sync.Mutex // held while it leaves
	loops []*xseg.Loop
	left  chan struct{} // closed when it has left
}

// Join joins the segment for a role. ctx tells by WithHost what is around it, and doesn't end it.
// xseg.ErrNoSegment if the node isn't running.
func Join(ctx context.Context, cfg *config.Config, role string) (*Peer, error) {
	r := cfg.Role(role)
	if r == nil {
		return nil, fmt.Errorf("no role %q in the configuration", role)
	}
	seg, err := xseg.Join(cfg.SegmentName)
	if err != nil {
		return nil, fmt.Errorf("role %s: join segment %s: %w", role, cfg.SegmentName, err)
	}
	p := &Peer{Config: cfg, Role: r, Segment: seg, host: hostOf(ctx), left: make(chan struct{})}
	if p.host != nil {
		p.Log, p.manager = NewLog(p.host.Log, r.LogLevel, role), p.host.manager()
		p.host.add(p)
		return p, nil
	}
	p.Log, p.manager = NewLog(os.Stderr, r.LogLevel, role), managerOfProcess()
	slog.SetDefault(p.Log) // what package xseg has to say is the role's
	return p, nil
}

// NewLoop makes a loop, which Serve runs and Leave closes. Before Serve.
func (p *Peer) NewLoop() (*xseg.Loop, error) { return p.NewLoopWith(xseg.LoopOptions{}) }

// NewLoopWith is NewLoop with options.
func (p *Peer) NewLoopWith(opts xseg.LoopOptions) (*xseg.Loop, error) {
	l, err := p.Segment.NewLoopWith(opts)
	if err != nil {
		return nil, fmt.Errorf("role %s: make a loop: %w", p.Role.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loops = append(p.loops, l)
	return l, nil
}

// Leave closes the loops, which gives their ports back, and leaves the segment. After Serve, or
// instead of it.
func (p *Peer) Leave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(p.left)
	var errs []error
	for _, l := range p.loops {
		errs = append(errs, l.Close())
	}
	errs = append(errs, p.Segment.Leave())
	return errors.Join(errs...)
}

// abandon ends the loops of a peer that hasn't left yet, whatever requests they hold: Serve returns,
// and the peer leaves.
func (p *Peer) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.left:
		return // the memory that loops are woken by is gone
	default:
	}
	for _, l := range p.loops {
		l.Abandon()
	}
}

// Hooks are a daemon's own parts of Serve. Any may be nil.
type Hooks struct {
	// Started runs when the loops run; the peer is ready when it has returned nil. It may block,
	// until ctx ends.
	Started func(ctx context.Context) error
	// Stopping runs when the peer is to stop, while the loops still run: for what has to be ended
	// by way of them. It may block, but not for more than seconds.
	Stopping func()
}

// Serve runs the loops until ctx ends or one of them fails: then they take no new requests, answer
// those that they have received, and Serve returns. A stop by ctx is no error. Call once.
func (p *Peer) Serve(ctx context.Context, hooks Hooks) error {
	notify, err := p.manager.dial()
	if err != nil {
		return fmt.Errorf("role %s: %w", p.Role.Name, err)
	}
	defer notify.close()
	if p.host == nil {
		defer WatchDebug(p.Log, os.Stderr)()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	running := p.runLoops(cancel)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.watchdog(notify, running.done, func() { cancel(errOrphaned) })
	}()
	err = p.serve(ctx, hooks, notify)
	running.stop()
	<-watched
	if err == nil {
		err = running.err()
	}
	if err != nil {
		return fmt.Errorf("role %s: %w", p.Role.Name, err)
	}
	p.Log.Info("stopped")
	return nil
}

// serve tells that the peer is ready, waits for the end and tells of it.
func (p *Peer) serve(ctx context.Context, hooks Hooks, notify *notifier) error {
	if hooks.Started != nil {
		if err := hooks.Started(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // stopped before it was ready
			}
			return err
		}
	}
	p.Log.Info("ready", "pid", os.Getpid())
	notify.send("READY=1")
	<-ctx.Done()
	p.Log.Info("stopping", "cause", context.Cause(ctx).Error())
	notify.send("STOPPING=1")
	if hooks.Stopping != nil {
		hooks.Stopping()
	}
	return nil
}

// loops are the loops of a peer while they run.
type loops struct {
	stop func()        // ends them and waits
	done chan struct{} // closed when all have ended

	mu   sync.Mutex
	errs []error
}

// runLoops starts all loops. The first one that fails ends the peer through cancel.
func (p *Peer) runLoops(cancel context.CancelCauseFunc) *loops {
	// Not the caller's context: the loops go on while Hooks.Stopping runs.
	ctx, end := context.WithCancel(context.Background())
	r := &loops{done: make(chan struct{})}
	var wg sync.WaitGroup
	for _, l := range p.loops {
		wg.Go(func() {
			if err := l.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				r.fail(err)
				cancel(err)
			}
		})
	}
	go func() {
		wg.Wait()
		close(r.done)
	}()
	r.stop = func() {
		end()
		<-r.done
	}
	return r
}

func (r *loops) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *loops) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.errs...)
}
