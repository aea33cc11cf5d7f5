package xseg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"archipelago/xseg/internal/abi"
)

// BindOptions are what Bind needs besides the number.
type BindOptions struct {
	Role    string
	Handler Handler // nil: the port submits only
	// Gone is told, on the loop, that a channel's submitter is gone and that all its requests
	// have ended. May be nil.
	Gone func(src PortNo)
}

// Port is a bound port.
type Port struct {
	loop        *Loop
	no          PortNo
	incarnation uint64
	entry       *abi.Port
	handler     Handler
	gone        func(src PortNo)

	tally  tally        // loop
	ghosts map[UUID]int // loop: requests of dead channels that still run, per volume
	parked map[UUID]parked

	mu       sync.Mutex
	listener *net.UnixListener
	serving  map[int]*served      // by channel; nil while a handshake goes on
	late     map[submitterID]bool // whom reapLate watches
	channels map[*Channel]struct{}
}

func (l *Loop) newPort(no PortNo, opts BindOptions) *Port {
	return &Port{
		loop: l, no: no, entry: &l.seg.ports[no], handler: opts.Handler, gone: opts.Gone,
		ghosts: map[UUID]int{}, parked: map[UUID]parked{},
		serving: map[int]*served{}, late: map[submitterID]bool{}, channels: map[*Channel]struct{}{},
	}
}

// No returns the port's number.
func (p *Port) No() PortNo { return p.no }

// listen makes the port's socket. The range lock of the port is held, so a socket that lies there
// belongs to nobody.
func (p *Port) listen() error {
	path := p.loop.seg.socketPath(p.no)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ln, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return err
	}
	ln.SetUnlinkOnClose(false) // unbind does it, while the lock is still held
	if err := os.Chmod(path, 0o660); err != nil {
		ln.Close()
		return err
	}
	p.mu.Lock()
	p.listener = ln
	p.mu.Unlock()
	p.loop.wg.Go(func() { p.accept(ln) })
	return nil
}

// stopListening sends those who look for this port away. Any goroutine.
func (p *Port) stopListening() {
	p.mu.Lock()
	ln := p.listener
	p.listener = nil
	p.mu.Unlock()
	if ln != nil {
		_ = os.Remove(p.loop.seg.socketPath(p.no))
		_ = ln.Close()
	}
}

// unbind gives the port back. After Abandon the entry stays that of a dead holder: what was received
// has not all been answered, so a successor has to wait for what was passed on.
func (p *Port) unbind() error {
	p.stopListening()
	s := p.loop.seg
	var err error
	if !p.loop.abandoned.Load() {
		err = p.settle()
	}
	p.hangUp()
	s.mu.Lock()
	delete(s.held, p.no)
	s.mu.Unlock()
	return errors.Join(err, s.file.Unlock(abi.LockPorts+int64(p.no)))
}

// settle ends the port in order: what was received has been answered, so a successor has nobody to
// wait for.
func (p *Port) settle() error {
	s := p.loop.seg
	err := s.control(context.Background(), abi.StepUnbind, uint64(p.no), func() error {
		for id := range s.channels {
			c := &s.channels[id]
			if c.DstPort.Load() == uint32(p.no) && c.DstIncarnation.Load() == p.incarnation {
				c.DstIncarnation.Store(0)
			}
		}
		p.entry.State.Store(abi.PortFree)
		p.entry.Incarnation.Store(0)
		s.collect()
		return nil
	})
	if err != nil {
		err = fmt.Errorf("unbind port %d: %w", p.no, err)
	}
	return err
}

// hangUp closes the sockets of all served channels: their submitters look for a successor.
func (p *Port) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.serving {
		if s != nil {
			_ = s.conn.Close()
		}
	}
}
