package nbdd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"archipelago/internal/config"
	"archipelago/internal/volume"
	"archipelago/peers/peer"
	"archipelago/xseg"
)

// Run serves the volumes of the node until ctx ends.
func Run(ctx context.Context, cfg *config.Config, role string) (err error) {
	p, err := peer.Join(ctx, cfg, role)
	if err != nil {
		return err
	}
	srv, err := NewServer(limitsOf(p.Role), p.Log)
	if err != nil {
		return errors.Join(fmt.Errorf("role %s: %w", role, err), p.Leave())
	}
	defer func() {
		err = errors.Join(err, p.Leave())
		srv.Close() // the loops have used it
	}()
	ln, err := takeOver(p, srv)
	if err != nil {
		return fmt.Errorf("role %s: %w", role, err)
	}
	defer ln.Close() // for the ways out before somebody serves it
	client, err := attach(ctx, p, srv)
	if err != nil {
		return fmt.Errorf("role %s: %w", role, err)
	}
	defer client.Close()
	return serve(ctx, p, srv, ln, client)
}

// takeOver gets the listening socket, and the clients of a predecessor. These are taken out of the
// service manager's hands before a byte of them is read: what comes after a crash must not be
// answered by the old state.
func takeOver(p *peer.Peer, srv *Server) (*net.UnixListener, error) {
	passed := p.StoredFDs()
	keeper := Keeper(p.StoreFDs)
	if !p.KeepsFDs() {
		keeper = nil
	}
	for _, name := range []string{stateName, clientsName} {
		if len(passed[name]) == 0 {
			continue
		}
		if err := p.RemoveFDs(name); err != nil {
			return nil, err
		}
	}
	if err := srv.Adopt(passed[stateName], passed[clientsName]); err != nil {
		p.Log.Warn("NBD clients of the predecessor are lost", "error", err)
	}
	return listen(p.Role.Socket, passed, keeper)
}

// limitsOf returns what the configuration allows to clients.
func limitsOf(r *config.Role) Limits {
	return Limits{
		Connections: r.MaxClients, Requests: r.MaxRequests,
		ClientBytes: int64(r.ClientMemory) << 20, HeapBytes: int64(r.StallMemory) << 20,
	}
}

// attach makes the client of the volumes; what ends in one batch of it is answered together.
func attach(ctx context.Context, p *peer.Peer, srv *Server) (*volume.Client, error) {
	loop, err := p.NewLoopWith(xseg.LoopOptions{Source: srv.Source()})
	if err != nil {
		return nil, err
	}
	loop.AtBatchEnd(srv.BatchEnd)
	return volume.Attach(ctx, p.Config, loop, volume.Options{
		Role:      p.Role.Name,
		PortStart: xseg.PortNo(p.Role.PortStart), PortEnd: xseg.PortNo(p.Role.PortEnd),
		Slots: p.Role.NrOps, BufferBytes: int64(p.Role.BufferMemory) << 20, Handler: pong,
	})
}

// pong is all that the port of this peer serves: whoever looks for it learns that its loop runs.
func pong(r *xseg.Request) {
	if r.Op() == xseg.OpPing {
		r.RespondOnLoop(0, 0)
		return
	}
	r.RespondOnLoop(syscall.EOPNOTSUPP, 0)
}

// serve accepts clients as long as the peer runs. The server stops first, while the loop still
// brings the answers that its clients wait for.
func serve(ctx context.Context, p *peer.Peer, srv *Server, ln *net.UnixListener, client *volume.Client) error {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	accepting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served := make(chan error, 1)
	hooks := peer.Hooks{
		Started: func(context.Context) error {
			go func() {
				err := srv.Serve(accepting, ln, volumes{client})
				failed(err)
				served <- err
			}()
			return nil
		},
		Stopping: func() {
			if peer.Replaced(ctx) {
				srv.KeepClients(p.StoreFDs)
			}
			stop()
			served <- <-served // waits; the result is for below
		},
	}
	if err := p.Serve(ctx, hooks); err != nil {
		return err
	}
	return <-served
}
