package node

import (
	"log/slog"
	"syscall"
	"time"

	daemon "archipelago/peers/peer"
)

// watchdogGrace is what a process gets beyond its watchdog time. When the whole machine, or the
// supervisor itself, was stopped for a while, the timer fires although messages of the process lie
// unread in the socket: they are read within it.
const watchdogGrace = 500 * time.Millisecond

// follower watches one process. A channel is nil while its event can't or needn't come.
type follower struct {
	p         *peer
	proc      *process
	log       *slog.Logger
	restarted bool
	readyAt   time.Time
	late      bool // the watchdog time has passed, the grace has not

	ready    <-chan struct{}
	stopping <-chan struct{} // the process says that it stops
	stop     <-chan struct{}
	orders   <-chan *order
	force    <-chan struct{}
	deadline <-chan time.Time // of the watchdog
	killAt   <-chan time.Time // of the stop
}

// follow watches a process until it has ended. It returns how long it was ready; 0 = never.
func (p *peer) follow(proc *process, restarted bool) time.Duration {
	f := &follower{
		p: p, proc: proc, restarted: restarted,
		log:   p.s.log.With("role", p.role.Name, "pid", proc.pid()),
		ready: proc.notify.ready, stopping: proc.notify.stopping, stop: p.stop, force: p.s.opts.Force,
	}
	if p.order == nil {
		f.orders = p.orders // one at a time
	}
	p.state.enter(PhaseStarting, proc.pid())
	for f.step() {
	}
	p.ended(proc, !f.readyAt.IsZero())
	if f.readyAt.IsZero() {
		return 0
	}
	// At least 1: however short, it was ready.
	return max(time.Since(f.readyAt), 1)
}

// step handles one event; false after the end of the process.
func (f *follower) step() bool {
	select {
	case <-f.ready:
		f.isReady()
	case <-f.proc.notify.beat:
		f.isAlive()
	case <-f.deadline:
		f.isLate()
	case <-f.stop:
		f.stop = nil
		f.terminate(syscall.SIGTERM)
	case f.p.order = <-f.orders:
		f.log.Info("peer is restarted on demand")
		f.terminate(daemon.ReplaceSignal)
	case <-f.stopping:
		f.stopping = nil
		f.p.state.enter(PhaseStopping, f.proc.pid())
	case <-f.killAt:
		f.killAt = nil
		f.log.Error("peer did not stop in time and is killed", "timeout", f.p.s.opts.StopTimeout)
		f.proc.signal(syscall.SIGKILL)
	case <-f.force:
		f.force = nil
		f.proc.signal(syscall.SIGKILL)
	case <-f.proc.exited:
		f.lastWord()
		return false
	}
	return true
}

// terminate tells the process to stop, or to give way to a successor. The watchdog goes on: a peer that hangs while it stops is
// still a peer that hangs.
func (f *follower) terminate(sig syscall.Signal) {
	f.orders = nil
	if f.killAt == nil {
		f.killAt = time.After(f.p.s.opts.StopTimeout)
	}
	f.p.state.enter(PhaseStopping, f.proc.pid())
	f.proc.signal(sig)
}

func (f *follower) isReady() {
	f.ready, f.readyAt = nil, time.Now()
	f.isAlive()
	f.log.Info("peer is ready", "took", f.readyAt.Sub(f.proc.started), "restarted", f.restarted)
	if f.killAt == nil {
		f.p.state.enter(PhaseReady, f.proc.pid())
	}
	if !f.restarted {
		f.p.first <- nil
	}
	if f.p.order != nil && f.p.order.stopped {
		f.p.answer(nil)
		f.orders = f.p.orders
	}
}

// isAlive starts the time until the next sign of life is due. Before a peer is ready there is no
// watchdog: it may have to wait for what its predecessor left.
func (f *follower) isAlive() {
	if f.readyAt.IsZero() || f.p.s.opts.Watchdog <= 0 {
		return
	}
	f.late, f.deadline = false, time.After(f.p.s.opts.Watchdog)
}

func (f *follower) isLate() {
	if !f.late {
		f.late, f.deadline = true, time.After(watchdogGrace)
		return
	}
	f.deadline = nil
	f.log.Error("peer missed its watchdog and is killed", "watchdog", f.p.s.opts.Watchdog)
	f.proc.signal(syscall.SIGKILL)
}

// lastWord: a process that was ready and died at once may have both events waiting.
func (f *follower) lastWord() {
	select {
	case <-f.ready:
		f.isReady()
	default:
	}
}
