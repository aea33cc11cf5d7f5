package xseg

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	"archipelago/xseg"
)

// pinger sends PINGs over a channel one after the other. But for wait, it lives on the loop: only
// there a round trip has no more in it than the transport itself.
type pinger struct {
	loop  *xseg.Loop
	ch    *xseg.Channel
	count uint64        // 0 = no end
	pause time.Duration // between an answer and the next PING

	onAnswer func(*xseg.Call)
	took     latencies
	sent     uint64
	failed   uint64        // answered with an error
	errno    syscall.Errno // the first of those
	sentAt   time.Time

	begun atomic.Int64 // when the PING that is in flight was sent, ns since epoch; 0 = none is
	epoch time.Time
	done  chan struct{}
}

func newPinger(loop *xseg.Loop, ch *xseg.Channel, count uint64, pause time.Duration) *pinger {
	p := &pinger{loop: loop, ch: ch, count: count, pause: pause, epoch: time.Now(), done: make(chan struct{})}
	p.onAnswer = p.answered
	return p
}

// start posts the first PING.
func (p *pinger) start() { p.loop.Post(p.send) }

func (p *pinger) send() {
	k := p.ch.Get(0) // there is a slot: one PING is in flight at a time
	k.Op, k.Done = xseg.OpPing, p.onAnswer
	p.sent++
	p.sentAt = time.Now()
	p.begun.Store(int64(p.sentAt.Sub(p.epoch)) + 1)
	k.SubmitOnLoop()
}

func (p *pinger) answered(k *xseg.Call) {
	p.took.add(int64(time.Since(p.sentAt)))
	p.begun.Store(0)
	if errno := k.Errno(); errno != 0 {
		if p.failed++; p.errno == 0 {
			p.errno = errno
		}
	}
	k.Put()
	switch {
	case p.sent == p.count:
		close(p.done)
	case p.pause > 0:
		time.AfterFunc(p.pause, p.start)
	default:
		p.send()
	}
}

// errNoAnswer is a PING, or a connect, that nobody answered in time.
var errNoAnswer = errors.New("no answer")

// wait returns when all were answered (nil), one has been in flight for longer than limit, or ctx
// ends.
func (p *pinger) wait(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			rest := limit
			if at := p.begun.Load(); at != 0 {
				rest -= time.Since(p.epoch) - time.Duration(at)
			}
			if rest <= 0 {
				return errNoAnswer
			}
			timer.Reset(rest)
		}
	}
}
