package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"archipelago/internal/config"
	"archipelago/xseg"
)

// tellWaiting is how often the log says which role the start is waiting for.
const tellWaiting = 10 * time.Second

// supervisor is a node that was locked and has its segment.
type supervisor struct {
	cfg    *config.Config
	opts   Options
	sink   *logSink
	log    *slog.Logger
	forker *forker
	spawns atomic.Int64 // numbers the notify sockets

	sockets map[string]*os.File // listening sockets by role; set before the first start
	peers   []*peer             // those started, in order
}

func newSupervisor(cfg *config.Config, opts Options, sink *logSink, log *slog.Logger) *supervisor {
	return &supervisor{cfg: cfg, opts: opts, sink: sink, log: log, sockets: map[string]*os.File{}}
}

func (s *supervisor) run(ctx context.Context) error {
	if err := s.listenAll(); err != nil {
		return errors.Join(err, s.closeSockets())
	}
	leave := s.settle()
	err := s.startAll(ctx)
	if err == nil {
		err = s.serve(ctx)
	}
	err = errors.Join(err, s.stopAll())
	leave()
	return errors.Join(err, s.closeSockets())
}

// settle prepares this process for the way in which roles run, until leave is called.
func (s *supervisor) settle() (leave func()) {
	if s.opts.Host != nil {
		return s.shareProcess()
	}
	s.forker = newForker()
	return s.forker.close
}

// serve is the life of a node that has started.
func (s *supervisor) serve(ctx context.Context) error {
	ctl, err := s.openControl()
	if err != nil {
		return err
	}
	defer ctl.close()
	s.log.Info("node is ready", "segment", s.cfg.SegmentName, "pid", os.Getpid())
	s.opts.Ready(s.uri())
	s.waitForStop(ctx)
	return nil
}

func (s *supervisor) waitForStop(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.opts.Force:
	}
	s.log.Info("node is stopping")
}

// startAll starts the roles, each when the one before is ready.
func (s *supervisor) startAll(ctx context.Context) error {
	for i := range s.cfg.Roles {
		p, err := newPeer(s, &s.cfg.Roles[i])
		if err != nil {
			return err
		}
		s.peers = append(s.peers, p)
		go p.run()
		if err := s.waitFirst(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// waitFirst waits for the outcome of a role's first start, without limit: it may have to wait for
// what a predecessor left, or for a slow storage. It says that it waits.
func (s *supervisor) waitFirst(ctx context.Context, p *peer) error {
	begin := time.Now()
	tell := time.NewTicker(tellWaiting)
	defer tell.Stop()
	for {
		select {
		case err := <-p.first:
			return err
		case <-tell.C:
			s.log.Warn("peer is not ready yet", "role", p.role.Name, "after", time.Since(begin).Round(time.Second))
		case <-ctx.Done():
			return fmt.Errorf("start interrupted while role %s was starting: %w", p.role.Name, ctx.Err())
		}
	}
}

// stopAll stops the roles in reverse order. Those that still run are kept running meanwhile, so
// that each finds below it what it needs to flush.
func (s *supervisor) stopAll() error {
	var errs []error
	for i := len(s.peers) - 1; i >= 0; i-- {
		errs = append(errs, s.peers[i].stopAndWait())
	}
	select {
	case <-s.opts.Force:
		return ErrForced
	default:
		return errors.Join(errs...)
	}
}

// listenAll makes the sockets that peers inherit.
func (s *supervisor) listenAll() error {
	for _, r := range s.cfg.Roles {
		if r.Type != config.TypeNBD {
			continue
		}
		f, err := listen(r.Socket)
		if err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
		s.sockets[r.Name] = f
	}
	return nil
}

func (s *supervisor) closeSockets() error {
	var errs []error
	for name, f := range s.sockets {
		errs = append(errs, f.Close(), os.Remove(s.cfg.Role(name).Socket))
	}
	return errors.Join(errs...)
}

// queryPath completes url.PathEscape for a path in a query: slashes may stay, what separates the
// parts of a query may not, and a plus would be read as a space.
var queryPath = strings.NewReplacer("%2F", "/", "&", "%26", "=", "%3D", "+", "%2B")

// uri names the NBD socket in the form that NBD clients take.
func (s *supervisor) uri() string {
	r := s.cfg.ByType(config.TypeNBD)
	if r == nil {
		return ""
	}
	return "nbd+unix:///?socket=" + queryPath.Replace(url.PathEscape(r.Socket))
}

// explain says what to do about a segment that can't be made.
func explain(spec xseg.Spec, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, xseg.ErrNoMemory), errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("no room for segment %s in /dev/shm: make room there, or make it larger: %w", spec, err)
	}
	return err
}
