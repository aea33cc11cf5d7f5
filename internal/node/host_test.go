package node

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"archipelago/internal/config"
	daemon "archipelago/peers/peer"
	"archipelago/xseg"
)

// TestHostedInOrder: roles of one process start and stop in the order of processes, and show its pid.
func TestHostedInOrder(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := newCast(t)
	ctx, cancel := context.WithCancel(t.Context())
	end := c.up(ctx)
	ctl := dial(t, c.rig.cfg)
	roles, err := ctl.Roles(ctx)
	if err != nil || len(roles) != len(c.rig.cfg.Roles) {
		t.Fatal(roles, err)
	}
	for _, r := range roles {
		if !r.Ready || r.PID != os.Getpid() {
			t.Errorf("%+v", r)
		}
	}
	ctl.Close()
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
	c.stopped()
	if log := c.rig.log.String(); !strings.Contains(log, "role=vlmcd time=") || strings.Contains(log, "level=WARN") {
		t.Errorf("log:\n%s", log)
	}
}

// TestHostedFails: a role that returns an error is started again, alone, and the error is told.
func TestHostedFails(t *testing.T) {
	c := newCast(t)
	c.set("mapperd", func(*daemon.Peer, *xseg.Loop) error { return errors.New("my storage is gone") })
	ctx, cancel := context.WithCancel(t.Context())
	end := c.rig.runNode(ctx)
	var got []string
	for range 2*len(c.rig.cfg.Roles) + 3 { // in any order: it fails while others start
		got = append(got, c.next())
	}
	for what, n := range map[string]int{"start mapperd": 2, "ready mapperd": 2, "start vlmcd": 1} {
		if count(got, what) != n {
			t.Errorf("%q: %v", what, got)
		}
	}
	<-c.rig.uri
	eventually(t, "a count of the death", func() bool {
		ctl := dial(t, c.rig.cfg)
		defer ctl.Close()
		roles, err := ctl.Roles(ctx)
		return err == nil && roles[2].Role == "mapperd" && roles[2].Restarts == 1 && roles[2].Ready
	})
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
	if log := c.rig.log.String(); !strings.Contains(log, `msg="peer has died"`) || !strings.Contains(log, `error="my storage is gone"`) {
		t.Errorf("the log doesn't tell:\n%s", log)
	}
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// TestHostedFirstStartFails: the node doesn't start, and the reason keeps its kind.
func TestHostedFirstStartFails(t *testing.T) {
	c := newCast(t)
	broken := errors.New("broken")
	c.rig.opts.Host[config.TypeMapper] = func(context.Context, *config.Config, string) error { return broken }
	err := wait(t, c.rig.runNode(t.Context()))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "role mapperd: did not start") {
		t.Errorf("%v", err)
	}
	c.expect("start blockerb", "ready blockerb", "start blockerm", "ready blockerm", "stop blockerm", "stop blockerb")

	delete(c.rig.opts.Host, config.TypeFile)
	if err := wait(t, c.rig.runNode(t.Context())); err == nil || !strings.Contains(err.Error(), "can't serve roles of type") {
		t.Errorf("%v", err)
	}
}

// TestHostedRestart: an ordered restart tells the role that a successor comes, which gets the socket
// and what was stored; with what the role leaves on its ports the host deals.
func TestHostedRestart(t *testing.T) {
	c := newCast(t)
	passed := make(chan string, 10)
	tell := func(p *daemon.Peer, _ *xseg.Loop) error {
		var names []string
		for name, files := range p.StoredFDs() {
			names = append(names, name)
			for _, f := range files {
				f.Close()
			}
		}
		slices.Sort(names)
		passed <- strings.Join(names, " ")
		return nil
	}
	c.set("nbdd", func(p *daemon.Peer, _ *xseg.Loop) error {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		_ = tell(p, nil)
		return p.StoreFDs("kept", int(r.Fd()), int(w.Fd()))
	})
	ctx, cancel := context.WithCancel(t.Context())
	end := c.up(ctx)
	if got := <-passed; got != "nbd" {
		t.Errorf("passed at first: %q", got)
	}
	c.set("nbdd", tell)
	ctl := dial(t, c.rig.cfg)
	eventually(t, "the pipe to be stored", func() bool {
		if err := ctl.Restart(ctx, "nbdd"); err != nil {
			t.Fatal(err)
		}
		c.expect("replace nbdd", "start nbdd", "ready nbdd")
		got := <-passed
		c.set("nbdd", tell)
		return got == "kept nbd"
	})
	ctl.Close()
	cancel()
	if err := wait(t, end); err != nil {
		t.Error(err)
	}
}

// TestHostedHangs: a role whose loop hangs can't be killed alone, so the process ends; the log shows
// where it hangs.
func TestHostedHangs(t *testing.T) {
	c := newCast(t)
	c.rig.opts.Watchdog = 100 * time.Millisecond
	status := make(chan int, 10)
	c.rig.opts.exit = func(s int) { status <- s }
	release := make(chan struct{})
	c.set("vlmcd", func(_ *daemon.Peer, l *xseg.Loop) error {
		l.Post(func() { <-release })
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := c.rig.runNode(ctx)
	select {
	case s := <-status:
		if s != 1 {
			t.Errorf("exit status %d", s)
		}
	case <-time.After(patience):
		t.Fatal("the process lives on")
	}
	if log := c.rig.log.String(); !strings.Contains(log, `msg="node ends at once`) || !strings.Contains(log, "role=vlmcd") || !strings.Contains(log, "goroutine profile") {
		t.Errorf("log:\n%s", log)
	}
	close(release)
	cancel()
	wait(t, end) // whatever it makes of a process that should be gone
}

// TestHostedStuck: a role that doesn't stop is left behind when the node stops; the others stop.
func TestHostedStuck(t *testing.T) {
	for name, force := range map[string]bool{"timeout": false, "force": true} {
		t.Run(name, func(t *testing.T) {
			c := newCast(t)
			c.rig.opts.exit = func(int) { t.Error("the process was ended") }
			release := make(chan struct{})
			c.set("stop vlmcd", func(*daemon.Peer, *xseg.Loop) error { <-release; return nil })
			forced := make(chan struct{})
			c.rig.opts.Force = forced
			if !force {
				c.rig.opts.StopTimeout = 100 * time.Millisecond
			}
			ctx, cancel := context.WithCancel(t.Context())
			end := c.up(ctx)
			cancel()
			c.expect("stop nbdd", "stop vlmcd")
			if force {
				close(forced)
			}
			err := wait(t, end)
			switch {
			case force && !errors.Is(err, ErrForced):
				t.Errorf("%v", err)
			case !force && (err == nil || err.Error() != "role vlmcd: did not stop cleanly: it did not end in time"):
				t.Errorf("%v", err)
			}
			close(release)
		})
	}
}
