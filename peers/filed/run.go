package filed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"archipelago/internal/config"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/remote"
	"archipelago/peers/peer"
	"archipelago/xseg"
)

// Run serves a role of type file_blocker until ctx ends: that is a clean stop, and no error.
func Run(ctx context.Context, cfg *config.Config, role string) (err error) {
	p, err := peer.Join(ctx, cfg, role)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Leave()) }()
	err = serve(ctx, p)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it was starting
	}
	return err
}

func serve(ctx context.Context, p *peer.Peer) (err error) {
	loop, err := p.NewLoop()
	if err != nil {
		return err
	}
	// The port first: it is free only when a predecessor has ended, whose unfinished files are
	// removed when the store is opened. No request is served before the loop runs.
	var handler xseg.Handler
	_, err = loop.Bind(ctx, xseg.PortNo(p.Role.PortStart), xseg.BindOptions{
		Role:    p.Role.Name,
		Handler: func(r *xseg.Request) { handler(r) },
	})
	if err != nil {
		return fmt.Errorf("role %s: bind port %d: %w", p.Role.Name, p.Role.PortStart, err)
	}
	store, err := openRole(p)
	if err != nil {
		return fmt.Errorf("role %s: %w", p.Role.Name, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	handler = remote.Serve(store)
	return p.Serve(ctx, peer.Hooks{})
}

func openRole(p *peer.Peer) (blocker.Store, error) {
	r := p.Role
	return Open(Options{
		Dir:          r.ArchipDir,
		LockDir:      r.LockDir,
		Owner:        p.Config.NodeName + "." + r.Name,
		FDCache:      r.FDCache,
		Workers:      r.NrThreads,
		WriteThrough: r.Cache == "writethrough",
		Direct:       r.Direct,
		Track:        trackPath(p),
		Log:          p.Log,
	})
}

// trackPath is where the list of dirty objects lies: beside the pending logs.
func trackPath(p *peer.Peer) string {
	if p.Config.PendingDir == "" {
		return ""
	}
	return filepath.Join(p.Config.PendingDir, "dirty."+p.Role.Name)
}
