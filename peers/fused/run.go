package fused

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"archipelago/internal/config"
	"archipelago/internal/volume"
	"archipelago/peers/peer"
	"archipelago/xseg"
)

// bufferBytes is the room for the data of requests under way, per channel. It takes memory only as
// far as it is used.
const bufferBytes = 64 << 20

// Run shows the volumes of the node until ctx ends.
func Run(ctx context.Context, cfg *config.Config, role string) (err error) {
	p, err := peer.Join(ctx, cfg, role)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Leave()) }()
	client, err := attach(ctx, p)
	if err != nil {
		return fmt.Errorf("role %s: %w", role, err)
	}
	defer client.Close()
	return serve(ctx, p, NewFS(Volumes(client), p.Log))
}

func attach(ctx context.Context, p *peer.Peer) (*volume.Client, error) {
	loop, err := p.NewLoop()
	if err != nil {
		return nil, err
	}
	return volume.Attach(ctx, p.Config, loop, volume.Options{
		Role:      p.Role.Name,
		PortStart: xseg.PortNo(p.Role.PortStart), PortEnd: xseg.PortNo(p.Role.PortEnd),
		Slots: p.Role.NrOps, BufferBytes: bufferBytes, Handler: pong,
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

// serve mounts the file system as long as the peer runs. It is unmounted first, while the loop
// still brings the answers that its users wait for. If somebody else unmounts it the peer ends, and
// is started again.
func serve(ctx context.Context, p *peer.Peer, fs *FS) error {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	var m *Mount
	hooks := peer.Hooks{
		Started: func(context.Context) (err error) {
			if m, err = MountAt(p.Role.Mountpoint, p.Config.SegmentName, fs, p.Log); err == nil {
				go func() { failed(m.Wait()) }()
			}
			return err
		},
		Stopping: func() { m.Unmount() },
	}
	if err := p.Serve(ctx, hooks); err != nil {
		return err
	}
	if err := context.Cause(ctx); errors.Is(err, ErrUnmounted) {
		return fmt.Errorf("role %s: %w", p.Role.Name, err)
	}
	return nil
}
