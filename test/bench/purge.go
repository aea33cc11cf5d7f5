package main

import (
	"context"
	"errors"
	"fmt"

	"archipelago/internal/config"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/remote"
	"archipelago/xseg"
)

// purger deletes what the data blocker of a node stores beyond what it stored in the beginning. A
// removed clone's objects stay until garbage collection; a removed image of somebody else is gone at
// once, with its pages: only with the same done here do both sides begin in the same state, with the
// same memory to take.
type purger struct {
	store blocker.Store
	term  uint64
	keep  map[string]bool
	close func() error
}

// newPurger notes what the node stores now.
func newPurger(ctx context.Context, cfg *config.Config) (*purger, error) {
	seg, err := xseg.Join(cfg.SegmentName)
	if err != nil {
		return nil, err
	}
	loop, err := seg.NewLoop()
	if err != nil {
		return nil, errors.Join(err, seg.Leave())
	}
	p := &purger{keep: map[string]bool{}}
	_, p.term = seg.Lease()
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	p.close = func() error {
		stop()
		return errors.Join(<-ended, loop.Close(), seg.Leave())
	}
	if err := p.connect(ctx, cfg, loop); err != nil {
		return nil, errors.Join(err, p.close())
	}
	names, err := p.names()
	for _, name := range names {
		p.keep[name] = true
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *purger) connect(ctx context.Context, cfg *config.Config, loop *xseg.Loop) error {
	port, err := loop.BindAny(ctx, xseg.PortNo(cfg.VtoolStart), xseg.PortNo(cfg.VtoolEnd), xseg.BindOptions{Role: "bench"})
	if err != nil {
		return err
	}
	ch, err := port.Connect(ctx, xseg.PortNo(cfg.Role("blockerb").PortStart), xseg.ChannelOptions{Slots: 8, BufferBytes: 1 << 20})
	if err == nil {
		p.store = remote.New(ch)
	}
	return err
}

// purge deletes all objects that weren't there in the beginning.
func (p *purger) purge() error {
	names, err := p.names()
	for _, name := range names {
		if !p.keep[name] {
			err = errors.Join(err, blocker.Do(p.store, &blocker.Op{Kind: blocker.Delete, Name: name, Term: p.term}))
		}
	}
	return err
}

func (p *purger) names() (list []string, err error) {
	op := blocker.Op{Kind: blocker.List, Data: make([]byte, 64<<10), Term: p.term}
	for {
		if err := blocker.Do(p.store, &op); err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		err := blocker.Names(op.Data[:op.N], func(name string) error {
			op.After = name
			list = append(list, name)
			return nil
		})
		if err != nil || !op.More {
			return list, err
		}
	}
}
