package xseg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"time"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/step"
)

// accept takes connections until the listener is closed.
func (p *Port) accept(ln *net.UnixListener) {
	for {
		conn, err := ln.AcceptUnix()
		switch {
		case err == nil:
			p.loop.wg.Go(func() { p.serveConn(conn) })
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors or the like: give it time, the peer waits
			slog.Error("accept on a port", "port", p.no, "error", err)
			if sleep(p.loop.ctx, 50*time.Millisecond) != nil {
				return
			}
		}
	}
}

// serveConn does the server's half of the handshake and then watches the connection to its end.
func (p *Port) serveConn(conn *net.UnixConn) {
	defer context.AfterFunc(p.loop.ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	hello, err := receive(conn, msgHello)
	if err != nil {
		return // whoever connected went away, or isn't one of us
	}
	id := int(hello.channel)
	if errno := p.reserve(id, &hello); errno != 0 {
		hello.bell.shut()
		_ = send(conn, message{kind: msgRefused, errno: uint32(errno)})
		return
	}
	s, err := p.adopt(conn, id, &hello)
	if err != nil {
		hello.bell.shut()
		p.unreserve(id)
		slog.Debug("a channel was not taken", "port", p.no, "channel", id, "error", err)
		_ = send(conn, message{kind: msgRefused, errno: uint32(refusal(err))})
		_ = conn.Close()
		p.reapLate(submitterID{id, PortNo(hello.src), hello.srcInc})
		return
	}
	p.loop.Post(func() { p.begin(s) })
	if send(conn, message{kind: msgLive, serial: s.serial}) == nil {
		untilHangUp(conn)
	}
	p.loop.Post(s.die)
}

// refusal tells the other side whether another try may help.
func refusal(err error) syscall.Errno {
	if errors.Is(err, errNoEventfd) {
		return syscall.EOPNOTSUPP
	}
	return syscall.EPROTO
}

// reserve makes sure that nothing of the channel runs here, and keeps others from adopting it.
func (p *Port) reserve(id int, hello *message) syscall.Errno {
	if id >= len(p.loop.seg.channels) || p.check(id, hello) != nil {
		return syscall.EPROTO
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.serving[id]; ok || p.listener == nil {
		return syscall.EAGAIN
	}
	p.serving[id] = nil
	return 0
}

func (p *Port) unreserve(id int) {
	p.mu.Lock()
	delete(p.serving, id)
	p.mu.Unlock()
}

// check compares what the submitter says with the table.
func (p *Port) check(id int, hello *message) error {
	c := &p.loop.seg.channels[id]
	if c.State.Load() != abi.ChannelLive || c.DstPort.Load() != uint32(p.no) ||
		c.SrcPort.Load() != hello.src || c.SrcIncarnation.Load() != hello.srcInc {
		return fmt.Errorf("channel %d isn't what port %d says: %w", id, hello.src, errMessage)
	}
	return nil
}

// adopt lets the submitter prepare the channel, and signs the table.
func (p *Port) adopt(conn *net.UnixConn, id int, hello *message) (*served, error) {
	if err := send(conn, message{kind: msgReady, dstInc: p.incarnation, bell: p.loop.bell}); err != nil {
		return nil, err
	}
	start, err := receive(conn, msgGo)
	if err != nil {
		return nil, err
	}
	s := &served{port: p, id: id, src: PortNo(hello.src), srcInc: hello.srcInc, serial: start.serial,
		conn: conn, bell: hello.bell}
	seg := p.loop.seg
	err = seg.control(p.loop.ctx, abi.StepConnect, uint64(id), func() error {
		if !seg.portAlive(uint32(p.no), p.incarnation) { // unbound meanwhile: nobody would serve it
			return ErrClosed
		}
		if err := p.check(id, hello); err != nil {
			return err
		}
		return s.sign()
	})
	if err != nil {
		return nil, err
	}
	seg.hang(s.waiter, s.bell)
	p.mu.Lock()
	p.serving[id] = s
	p.mu.Unlock()
	return s, nil
}

// sign validates the rest of the entry and makes us its server. Under the control lock.
func (s *served) sign() error {
	seg := s.port.loop.seg
	c := &seg.channels[s.id]
	if c.Serial.Load() != s.serial || c.DstIncarnation.Load() != 0 {
		return fmt.Errorf("channel %d has another serial or server: %w", s.id, errMessage)
	}
	if !seg.portAlive(uint32(s.src), s.srcInc) {
		return fmt.Errorf("submitter of channel %d is gone: %w", s.id, ErrNotRunning)
	}
	v, ok := seg.viewOf(c)
	s.waiter = seg.ports[s.src].Waiter.Load()
	if !ok {
		return fmt.Errorf("channel %d: %w", s.id, ErrCorrupt)
	}
	if err := seg.fits(s.waiter, s.bell); err != nil {
		return fmt.Errorf("channel %d: %w", s.id, err)
	}
	s.view = v
	s.reqs = make([]*Request, v.Len())
	c.DstIncarnation.Store(s.port.incarnation)
	step.At(step.AdoptSigned)
	return nil
}

// begin adds the channel to those that the loop serves. Loop.
func (p *Port) begin(s *served) {
	if s.dead.Load() {
		return
	}
	p.loop.buryDead()
	p.loop.served = append(p.loop.served, s)
	if !slices.Contains(p.loop.counting, p) {
		p.loop.counting = append(p.loop.counting, p)
	}
}

// buryDead ends the channels whose submitters are gone. The hang-up of a dead client and the
// handshake of its successor come by two goroutines, which nothing orders: were the successor's
// channel served first, what runs for the dead one would not count as a ghost yet, and could land
// after the successor's repeat of it. Loop.
func (l *Loop) buryDead() {
	for _, s := range slices.Clone(l.served) {
		if !s.dead.Load() && !l.seg.portAlive(uint32(s.src), s.srcInc) {
			s.die()
		}
	}
}

// release records that nothing of the channel runs any more, which lets its extent go if the
// submitter is dead, and lets the submitter connect anew if it is not.
func (p *Port) release(s *served) {
	seg := p.loop.seg
	seg.unhang(s.waiter, s.bell)
	err := seg.control(context.Background(), abi.StepReap, uint64(s.id), func() error {
		c := &seg.channels[s.id]
		if c.Serial.Load() == s.serial && c.DstIncarnation.Load() == p.incarnation {
			c.DstIncarnation.Store(0)
		}
		seg.collect()
		return nil
	})
	if err != nil && !errors.Is(err, ErrNoSegment) {
		slog.Error("give a channel back", "port", p.no, "channel", s.id, "error", err)
	}
	p.unreserve(s.id)
	if p.gone != nil {
		p.loop.Post(func() { p.gone(s.src) })
	}
	p.reapLate(submitterID{s.id, s.src, s.srcInc})
}

// submitterID is one end of a channel at one time.
type submitterID struct {
	channel     int
	port        PortNo
	incarnation uint64
}

// reapLate covers a submitter that has no socket at its death, which so nobody hears of: one whose
// socket went before its port lock did, one that was kicked and dies before it has connected again, or
// one that dies in the handshake. It goes on until the channel is served again, or gone.
func (p *Port) reapLate(of submitterID) {
	p.mu.Lock()
	known := p.late[of]
	p.late[of] = true
	p.mu.Unlock()
	if known {
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.late, of)
		p.mu.Unlock()
	}()
	seg := p.loop.seg
	c := &seg.channels[of.channel]
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if c.SrcIncarnation.Load() != of.incarnation || c.State.Load() != abi.ChannelLive || c.DstIncarnation.Load() != 0 {
			return
		}
		if !seg.portAlive(uint32(of.port), of.incarnation) {
			_ = seg.control(p.loop.ctx, abi.StepReap, uint64(of.channel), func() error {
				seg.collect()
				return nil
			})
			return
		}
		if sleep(p.loop.ctx, pause) != nil {
			return
		}
	}
}
