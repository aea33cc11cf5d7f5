package node

import (
	"syscall"
	"time"

	"archipelago/internal/config"
	daemon "archipelago/peers/peer"
)

// peer keeps one role running. Its goroutine is the only one to start, signal and reap processes
// of the role.
type peer struct {
	s      *supervisor
	role   *config.Role
	store  *fdStore      // what its processes hand to their successors
	first  chan error    // the outcome of the first start
	orders chan *order   // restarts that somebody asked for
	stop   chan struct{} // closed: stop for good
	done   chan struct{} // closed: no process is left
	err    error         // of the stop; valid once done is closed
	state  roleState

	order *order // being carried out; of the peer's goroutine
}

func newPeer(s *supervisor, role *config.Role) (*peer, error) {
	store, err := newFDStore()
	if err != nil {
		return nil, err
	}
	p := &peer{
		s: s, role: role, store: store,
		first: make(chan error, 1), orders: make(chan *order), stop: make(chan struct{}),
		done: make(chan struct{}),
	}
	p.state.is = RoleState{Role: role.Name, Type: role.Type, State: PhaseDown}
	return p, nil
}

// run starts the role again and again until it is stopped. If the very first start fails it gives
// up: nobody has relied on the role yet, and the reason should be seen.
func (p *peer) run() {
	defer close(p.done)
	defer func() { p.answer(errStopping) }()
	defer p.store.close()
	var delay backoff
	for starts := 0; !p.stopping(); starts++ {
		proc, err := p.s.begin(p)
		var served time.Duration
		if err == nil {
			served = p.follow(proc, starts > 0)
		}
		p.state.down()
		if p.stopping() {
			return
		}
		if starts == 0 && served == 0 {
			p.first <- p.failure("did not start", proc, err)
			return
		}
		if p.order != nil && !p.order.stopped {
			// The end was ordered, so nothing is wrong that a delay would help.
			p.order.stopped = true
			delay = backoff{}
			continue
		}
		p.answer(p.failure("did not come up again", proc, err))
		p.state.died()
		wait := delay.next(served, wasKilled(proc))
		p.tellDeath(proc, err, served, wait)
		p.pause(wait)
	}
}

func (p *peer) stopping() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// pause waits before the next start. An order ends it: whoever gave it wants to know at once
// whether the role comes up.
func (p *peer) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case p.order = <-p.orders:
		p.order.stopped = true
	case <-p.stop:
	}
}

// ended notes how a process has ended that was told to stop. One that wasn't ready yet may not have
// got as far as catching the signal: it has served nobody, so that is a clean end too.
func (p *peer) ended(proc *process, wasReady bool) {
	forGood := p.stopping()
	if !forGood && (p.order == nil || p.order.stopped) {
		return
	}
	e := &proc.ended
	clean := e.clean || (!wasReady && (e.signal == syscall.SIGTERM || e.signal == daemon.ReplaceSignal))
	if forGood && !clean {
		p.err = p.failure("did not stop cleanly", proc, nil)
	}
	attrs := append([]any{"role", p.role.Name, "pid", proc.pid()}, e.attrs()...)
	if !clean {
		p.s.log.Warn("peer did not stop cleanly", attrs...)
		return
	}
	p.s.log.Info("peer has stopped", attrs...)
}

func (p *peer) failure(what string, proc *process, err error) error {
	e := &PeerError{Role: p.role.Name, What: what, Err: err}
	if proc != nil {
		e.State, e.Log = proc.ended.state, proc.out.last()
		if e.State == nil {
			e.Err = proc.ended.err
		}
	}
	return e
}

func (p *peer) tellDeath(proc *process, err error, served, wait time.Duration) {
	attrs := []any{"role", p.role.Name, "served", served, "restart_in", wait}
	if proc == nil {
		p.s.log.Error("peer can't be started", append(attrs, "error", err)...)
		return
	}
	attrs = append(append(attrs, "pid", proc.pid()), proc.ended.attrs()...)
	p.s.log.Warn("peer has died", attrs...)
}

// stopAndWait stops the role; nil if it ended as it should.
func (p *peer) stopAndWait() error {
	close(p.stop)
	<-p.done
	return p.err
}
