package node

import "context"

// order is a restart of a role that somebody asked for and waits for: an orderly stop, and a new
// process that is ready.
type order struct {
	stopped bool       // the old process has ended; of the peer's goroutine
	done    chan error // gets the outcome; has room for it
}

// restart carries out an order: nil when a new process is ready. An old one that didn't stop in
// time was killed; that is no failure of the restart. If ctx ends before the order was taken nothing
// happens; afterwards it is carried out, and only the outcome isn't waited for.
func (p *peer) restart(ctx context.Context) error {
	o := &order{done: make(chan error, 1)}
	select {
	case p.orders <- o:
	case <-p.done:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer ends the order that is being carried out, if there is one.
func (p *peer) answer(err error) {
	if p.order == nil {
		return
	}
	p.order.done <- err
	p.order = nil
}
