package transport

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"archipelago/xseg/xsegtest"
)

// A client's successor is started beforehand and takes its place the moment it is dead: what the
// dead one has left is still being worked on then.
type standby struct {
	child *xsegtest.Child
	trap  bool
	ready bool // it listens to the signal
}

// standBy waits for the signal that says that the predecessor is dead.
func standBy(ctx context.Context) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	defer signal.Stop(told)
	fmt.Println("standing by")
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stands notes that a process stands by, which may be due by now.
func (p *proc) stands(child *xsegtest.Child) {
	switch child {
	case p.child:
		child.Signal(syscall.SIGUSR1)
	case p.next.child:
		p.next.ready = true
	}
}

// promote puts the one that stands by into its place; false if there is none.
func (c *crew) promote(p *proc) bool {
	if p.next.child == nil {
		return false
	}
	p.child, p.trapped = p.next.child, p.next.trap
	if p.next.ready {
		p.child.Signal(syscall.SIGUSR1)
	}
	p.next = standby{}
	return true
}

// dismiss ends those that stand by, and has none from now on.
func (c *crew) dismiss() {
	c.restart = false
	for _, p := range c.clients() {
		if p.next.child != nil {
			p.next.child.Kill()
		}
	}
	if !c.pump(xsegtest.Patience, func() bool {
		for _, p := range c.clients() {
			if p.next.child != nil {
				return false
			}
		}
		return true
	}) {
		c.wedged("a killed process has not ended")
	}
}
