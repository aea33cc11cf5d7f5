package peer

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Host is what one run of a role has around it where the process isn't its own: in place of the
// environment, of standard error and of the end of the process. The context of Run carries it
// (WithHost). The fields are set before and not changed.
type Host struct {
	Socket   string        // of the service manager, as NOTIFY_SOCKET
	Watchdog time.Duration // how long the role may be silent; 0 = for ever
	Log      io.Writer     // what would go to standard error; safe for many goroutines
	// Passed are descriptors as StoredFDs returns them. They are the role's, or else End's to close.
	Passed map[string][]*os.File

	mu    sync.Mutex
	peers []*Peer // that have joined
}

type hostKey struct{}

// WithHost returns a context for one run of a role in a process that it shares with others.
func WithHost(ctx context.Context, h *Host) context.Context {
	return context.WithValue(ctx, hostKey{}, h)
}

// hostOf returns nil for a role that has its process for itself.
func hostOf(ctx context.Context) *Host {
	h, _ := ctx.Value(hostKey{}).(*Host)
	return h
}

func (h *Host) manager() manager { return manager{socket: h.Socket, watchdog: h.Watchdog} }

func (h *Host) add(p *Peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers = append(h.peers, p)
}

// take hands out what was passed.
func (h *Host) take() map[string][]*os.File {
	h.mu.Lock()
	defer h.mu.Unlock()
	passed := h.Passed
	h.Passed = nil
	return passed
}

// End does what the end of a process does for a role whose Run has returned and may have left
// requests, with loops and ports, to a successor: it abandons them. Afterwards the successor can
// bind the ports. An error if the role doesn't let go within limit: then only the end of the process
// helps. Call once.
func (h *Host) End(limit time.Duration) error {
	for _, files := range h.take() {
		for _, f := range files {
			_ = f.Close()
		}
	}
	h.mu.Lock()
	peers := h.peers
	h.mu.Unlock()
	late := time.NewTimer(limit)
	defer late.Stop()
	for _, p := range peers {
		go p.abandon() // waits while the peer is leaving by itself
		select {
		case <-p.left:
		case <-late.C:
			return fmt.Errorf("role %s has returned and still holds its ports after %v", p.Role.Name, limit)
		}
	}
	return nil
}
