package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"archipelago/internal/config"
	daemon "archipelago/peers/peer"
	"archipelago/xseg"
)

// cast plays roles in this process: each joins, is ready, and stops when it is told to, but for what
// a test makes one of them do.
type cast struct {
	rig    *rig
	events chan string // "start ROLE", "ready ROLE", "replace ROLE", "stop ROLE"

	mu sync.Mutex
	do map[string]part // by role, once it is ready
}

// part is played beside the loop; an error ends the role.
type part func(p *daemon.Peer, l *xseg.Loop) error

func newCast(t *testing.T) *cast {
	c := &cast{rig: newRig(t, nil), events: make(chan string, 1000), do: map[string]part{}}
	c.rig.opts.Command = func(*config.Config, *config.Role) ([]string, error) {
		return nil, errors.New("a process was wanted")
	}
	c.rig.opts.Host = map[string]Serve{}
	for _, r := range c.rig.cfg.Roles {
		c.rig.opts.Host[r.Type] = c.serve
	}
	return c
}

func (c *cast) serve(ctx context.Context, cfg *config.Config, role string) (err error) {
	c.events <- "start " + role
	p, err := daemon.Join(ctx, cfg, role)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Leave()) }()
	l, err := p.NewLoop()
	if err != nil {
		return err
	}
	var played chan error
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = p.Serve(ctx, daemon.Hooks{
		Started: func(context.Context) error {
			c.events <- "ready " + role
			if do := c.take(role); do != nil {
				played = make(chan error, 1)
				go func() {
					err := do(p, l)
					if err != nil {
						cancel(err)
					}
					played <- err
				}()
			}
			return nil
		},
		Stopping: func() {
			what := "stop "
			if daemon.Replaced(ctx) {
				what = "replace "
			}
			c.events <- what + role
			c.mu.Lock()
			last := c.do["stop "+role]
			c.mu.Unlock()
			if last != nil {
				_ = last(p, l)
			}
		},
	})
	if played != nil {
		err = errors.Join(err, <-played)
	}
	return err
}

func (c *cast) set(role string, do part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.do[role] = do
}

// take returns what a role does once, and only once.
func (c *cast) take(role string) part {
	c.mu.Lock()
	defer c.mu.Unlock()
	do := c.do[role]
	delete(c.do, role)
	return do
}

func dial(t *testing.T, cfg *config.Config) *Control {
	t.Helper()
	ctl, err := DialControl(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ctl
}

func (c *cast) next() string {
	c.rig.t.Helper()
	select {
	case e := <-c.events:
		return e
	case <-time.After(patience):
		c.rig.t.Fatal("no event")
		return ""
	}
}

func (c *cast) expect(want ...string) {
	c.rig.t.Helper()
	for _, w := range want {
		if got := c.next(); got != w {
			c.rig.t.Fatalf("%q, wanted %q", got, w)
		}
	}
}

// up starts the node and waits until it is ready.
func (c *cast) up(ctx context.Context) <-chan error {
	c.rig.t.Helper()
	end := c.rig.runNode(ctx)
	for _, r := range c.rig.cfg.Roles {
		c.expect("start "+r.Name, "ready "+r.Name)
	}
	select {
	case <-c.rig.uri:
	case <-time.After(patience):
		c.rig.t.Fatal("the node never became ready")
	}
	return end
}

func (c *cast) stopped() {
	c.rig.t.Helper()
	for _, r := range slices.Backward(c.rig.cfg.Roles) {
		c.expect("stop " + r.Name)
	}
}
