package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	daemon "archipelago/peers/peer"
)

// hosted is a role that runs in this process.
type hosted struct {
	p      *peer
	cancel context.CancelCauseFunc
	given  sync.Once
	gone   chan struct{} // closed: it isn't waited for any more
}

// endLimit is how long a role may hold on to its ports once it has returned.
const endLimit = 5 * time.Second

// errLeft is how a role has ended that was not waited for.
var errLeft = errors.New("it did not end in time")

// host starts a role in this process.
func (s *supervisor) host(r *peer, p *process) error {
	serve := s.opts.Host[r.role.Type]
	if serve == nil {
		return fmt.Errorf("this program can't serve roles of type %s", r.role.Type)
	}
	if s.forced() {
		return ErrForced // what was left behind has the ports
	}
	// Read anew, as a process of the role would.
	cfg, err := s.cfg.Source().Load()
	if err != nil {
		return err
	}
	h := &daemon.Host{Socket: p.notify.path, Watchdog: max(s.opts.Watchdog, 0), Log: p.out}
	err = r.store.use(func(stored []storedFD) (err error) {
		h.Passed, err = passHere(s.sockets[r.role.Name], stored)
		return err
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(daemon.WithHost(context.Background(), h))
	b := &hosted{p: r, cancel: cancel, gone: make(chan struct{})}
	p.body, p.started = b, time.Now()
	ran := make(chan error, 1)
	go func() { ran <- b.serve(ctx, h, func() error { return serve(ctx, cfg, r.role.Name) }) }()
	go b.wait(p, ran)
	return nil
}

// serve runs the role, and ends what it leaves behind. If that is impossible no successor can come.
func (b *hosted) serve(ctx context.Context, h *daemon.Host, run func() error) error {
	defer b.cancel(nil)
	err := run()
	if left := h.End(endLimit); left != nil {
		b.giveUp(left.Error())
		err = errors.Join(err, left)
	}
	if err == nil && ctx.Err() == nil {
		err = errors.New("it ended without being told to")
	}
	return err
}

// wait notes how the role ends.
func (b *hosted) wait(p *process, ran <-chan error) {
	var err error
	select {
	case err = <-ran:
	case <-b.gone:
		err = errLeft
	}
	p.end(ending{clean: err == nil, err: err})
}

func (b *hosted) pid() int { return os.Getpid() }

func (b *hosted) signal(sig syscall.Signal) {
	switch sig {
	case syscall.SIGKILL:
		b.giveUp("it would be killed")
		b.given.Do(func() { close(b.gone) })
	case daemon.ReplaceSignal:
		b.cancel(daemon.ErrReplaced)
	default:
		b.cancel(nil)
	}
}

// giveUp deals with a role that can't be ended: a part of a process can't be killed. If the node is
// stopping the role is left behind, for this process is about to end; else it ends now. What was
// acknowledged is in the page cache and the pending logs, and the next run clears away the rest.
func (b *hosted) giveUp(why string) {
	s := b.p.s
	if b.p.stopping() || s.forced() {
		return
	}
	s.log.Error("node ends at once: a role that shares its process can't be ended alone",
		"role", b.p.role.Name, "why", why)
	daemon.WriteStacks(s.sink)
	s.sink.close()
	s.opts.exit(exitFailed)
}

func (s *supervisor) forced() bool {
	select {
	case <-s.opts.Force:
		return true
	default:
		return false
	}
}
