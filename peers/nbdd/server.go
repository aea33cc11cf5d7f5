package nbdd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/xseg"
)

// Server serves one backend to many clients.
type Server struct {
	limits  Limits
	log     *slog.Logger
	backend Backend
	heap    budget
	running sync.WaitGroup // connections, and what sends for them

	poller  *poller
	keeper  Keeper // nil: nobody keeps clients for a successor
	adopted []kept // until Serve

	mu      sync.Mutex
	conns   map[*conn]struct{}
	parked  []*conn // wait to be handed over
	refused bool    // the limit of connections was reported

	dirtyMu     sync.Mutex
	dirty, idle []*conn // idle: the memory of the list that was worked off last
}

// NewServer makes a server. log nil = the default logger. Whoever serves the backend's completions
// works Source off on the same thread, from before Serve until Close.
func NewServer(limits Limits, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.Default()
	}
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &Server{limits: limits.withDefaults(), log: log, conns: make(map[*conn]struct{}), poller: p}
	s.heap.left.Store(s.limits.HeapBytes)
	return s, nil
}

// Source is what the clients' sockets have for the backend's thread.
func (s *Server) Source() xseg.Source { return s.poller }

// Close gives back what NewServer took. After Serve, and when nobody works Source off any more.
func (s *Server) Close() { s.poller.close() }

// KeepClients makes the server hand its clients over when it stops: k keeps them for a successor.
// Before the context of Serve ends.
func (s *Server) KeepClients(k Keeper) { s.keeper = k }

// Adopt takes clients over from a predecessor: the files that its Keeper got. It closes them. Its
// error tells of clients that can't be taken, whose connections end. Before Serve.
func (s *Server) Adopt(states, clients []*os.File) error {
	all, err := takeKept(states, clients)
	s.adopted = append(s.adopted, all...)
	return err
}

// Serve serves adopted clients and accepts more until ctx ends. Then it lets requests under way end
// for a while, hands the clients over if somebody keeps them, and returns nil when no connection is
// left. It closes ln. Call once.
func (s *Server) Serve(ctx context.Context, ln *net.UnixListener, backend Backend) error {
	s.backend = backend
	hard, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	for i := range s.adopted {
		s.add(hard, s.adopted[i].fd, &s.adopted[i].session)
	}
	s.adopted = nil
	stopped := context.AfterFunc(ctx, func() { _ = ln.Close() })
	err := s.accept(ctx, hard, ln)
	stopped()
	_ = ln.Close() // closed already if ctx ended
	s.shutdown(giveUp)
	return err
}

func (s *Server) accept(ctx, hard context.Context, ln *net.UnixListener) error {
	for {
		fd, err := acceptClient(ln)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				s.add(hard, fd, nil) // one of those that shutdown deals with
			}
			return nil
		case errors.Is(err, unix.ECONNABORTED):
			continue
		case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM):
			s.log.Error("cannot accept NBD clients", "error", err)
			pause(ctx)
			continue
		case err != nil:
			return fmt.Errorf("accept NBD clients: %w", err)
		}
		s.add(hard, fd, nil)
	}
}

// acceptClient waits for a client. Its socket is taken away from the runtime's poller.
func acceptClient(ln *net.UnixListener) (int, error) {
	uc, err := ln.AcceptUnix()
	if err != nil {
		return -1, err
	}
	fd, _, err := duplicate(uc)
	return fd, errors.Join(err, uc.Close())
}

// pause keeps the accept loop from spinning while the process has no descriptors left: a waiting
// client stays in the backlog, and nothing tells when descriptors are free again.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// sendBuffer is what a socket may hold of answers, in bytes.
const sendBuffer = 1 << 20

// add starts serving a client, a new one or one that was adopted, unless there are too many.
func (s *Server) add(hard context.Context, fd int, adopted *session) {
	c := s.newConn(hard, fd, s.log.With("pid", peerPID(fd)))
	if !s.admit(c) {
		c.sock.close()
		return
	}
	if adopted != nil {
		c.adopt(adopted)
	}
	// Room for a long answer, so that it takes fewer turns: as much as the machine allows
	// (net.core.wmem_max). Without it the answer goes out in more pieces.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	if err := c.sock.watch(); err != nil {
		s.log.Error("cannot serve an NBD client", "error", err)
		s.remove(c)
		c.sock.close()
		return
	}
	s.running.Go(func() {
		defer s.remove(c)
		c.run()
	})
}

func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.limits.Connections {
		if !s.refused {
			s.log.Warn("too many NBD clients: refusing more", "limit", s.limits.Connections)
		}
		s.refused = true
		return false
	}
	s.refused = false
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	for i, d := range s.dirty {
		if d == c {
			s.dirty[i] = nil
		}
	}
}

// Connections returns how many clients are connected.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// shutdown ends all connections, or this server's part in them: each as soon as its requests are
// answered, all when the grace time is over.
func (s *Server) shutdown(giveUp context.CancelFunc) {
	grace := time.AfterFunc(s.limits.Grace, func() {
		giveUp()
		s.each(func(c *conn) { c.kill(errShutdown) })
	})
	defer grace.Stop()
	if s.keeper == nil {
		// The end of what comes in is what a client would cause by leaving.
		s.each(func(c *conn) { c.sock.shut(unix.SHUT_RD) })
	} else {
		s.each(func(c *conn) { c.in.stop() })
		// Who negotiates and doesn't take the answer must not keep the others waiting. In
		// transmission this does no harm: see conn.park.
		listless := time.AfterFunc(s.limits.Listless, func() {
			s.each(func(c *conn) { c.sock.writeBy.set(longAgo) })
		})
		defer listless.Stop()
	}
	s.running.Wait()
	s.handOver()
}

var errShutdown = errors.New("server is shutting down")

func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
}

// markDirty notes that c has replies to send at the end of the backend's batch.
func (s *Server) markDirty(c *conn) {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	if !c.listed {
		c.listed = true
		s.dirty = append(s.dirty, c)
	}
}

// BatchEnd sends the replies of what has ended since it was last called. Doesn't block. One
// goroutine at a time: the backend's serving thread calls it at the end of each batch.
func (s *Server) BatchEnd() {
	s.dirtyMu.Lock()
	batch := s.dirty
	if len(batch) == 0 {
		s.dirtyMu.Unlock()
		return
	}
	s.dirty, s.idle = s.idle[:0], nil
	for _, c := range batch {
		if c != nil {
			c.listed = false
		}
	}
	s.dirtyMu.Unlock()
	for _, c := range batch {
		if c != nil {
			c.flush()
		}
	}
	clear(batch)
	s.dirtyMu.Lock()
	s.idle = batch[:0]
	s.dirtyMu.Unlock()
}

// peerPID returns the process at the other end, for the log; 0 if it isn't known.
func peerPID(fd int) int {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0
	}
	return int(cred.Pid)
}
