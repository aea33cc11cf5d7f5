package volume

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// Member is a volume and the name of the snapshot that is to be made of it.
type Member struct{ Volume, Snapshot string }

// groupTries is how often a group is begun again whose freezes didn't last until all were there:
// under load a volume may take longer to come to rest than another one is willing to stay frozen.
const groupTries = 3

// undoPatience is how long a group that has failed is undone.
const undoPatience = 3 * time.Second

// SnapshotGroup makes snapshots of several volumes at one point in time, or none. Infos are those
// of the snapshots, in the order of the members. Errors name the volume that they come from.
func (c *Client) SnapshotGroup(ctx context.Context, members []Member) ([]mapper.Info, error) {
	if len(members) == 0 || len(members) > remote.MaxMembers {
		return nil, fmt.Errorf("%w: a group of %d snapshots", mapper.ErrArgument, len(members))
	}
	for tries := 1; ; tries++ {
		g := &group{c: c, parts: make([]part, len(members)), args: remote.GroupArgs{Members: len(members)}}
		_, _ = rand.Read(g.args.Group[:]) // never fails
		for i, m := range members {
			g.parts[i].Member = m
		}
		infos, err := g.run(ctx)
		if tries == groupTries || !errors.Is(err, mapper.ErrStale) || ctx.Err() != nil {
			return infos, err
		}
	}
}

// group is one attempt: freeze all members; when all are frozen, make a snapshot of each; then make
// the snapshots real, all at once. A client that dies in between leaves nothing: a freeze that isn't
// used ends by itself, and snapshots that aren't real don't stay.
type group struct {
	c     *Client
	args  remote.GroupArgs
	parts []part
}

type part struct {
	Member
	uuid  xseg.UUID
	token uint64
	info  mapper.Info
}

func (g *group) run(ctx context.Context) ([]mapper.Info, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	err := g.each(func(p *part) error { return g.find(ctx, p) })
	if err == nil {
		err = g.distinct()
	}
	if err == nil {
		err = g.each(func(p *part) error { return g.freeze(ctx, p) })
	}
	frozen := err == nil
	if frozen {
		if err = g.each(func(p *part) error { return g.snapshot(ctx, p) }); err == nil {
			err = g.commit(ctx, g.args.Members)
		}
	}
	if err != nil {
		g.undo(ctx, frozen)
		return nil, err
	}
	infos := make([]mapper.Info, len(g.parts))
	for i := range g.parts {
		infos[i] = g.parts[i].info
	}
	return infos, nil
}

// undo gives up what was made (once all was frozen), as far as the node answers: the mapper gives a group up by itself
// when it is asked about it, and a freeze ends by itself. So whoever has given up, or whose node has
// ended, isn't kept waiting for long.
func (g *group) undo(ctx context.Context, frozen bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoPatience)
	defer cancel()
	if frozen {
		_ = g.commit(ctx, 0)
	}
	_ = g.each(func(p *part) error { return g.thaw(ctx, p) })
}

// check refuses what can't be a group before anything is frozen.
func (g *group) check() error {
	names := map[string]bool{}
	for i := range g.parts {
		p := &g.parts[i]
		err := checkName(p.Snapshot)
		if err == nil && names[p.Snapshot] {
			err = fmt.Errorf("%w: the name is given twice", mapper.ErrArgument)
		}
		if err != nil {
			return wrap(p.Volume, "snapshot "+p.Snapshot, err)
		}
		names[p.Snapshot] = true
	}
	return nil
}

// distinct refuses a volume that is a member twice: its second freeze would wait for its first.
func (g *group) distinct() error {
	seen := map[xseg.UUID]bool{}
	for i := range g.parts {
		p := &g.parts[i]
		if seen[p.uuid] {
			return wrap(p.Volume, "snapshot "+p.Snapshot, fmt.Errorf("%w: the volume is given twice", mapper.ErrArgument))
		}
		seen[p.uuid] = true
	}
	return nil
}

// each runs f for all members at once.
func (g *group) each(f func(*part) error) error {
	errs := make([]error, len(g.parts))
	var wg sync.WaitGroup
	for i := range g.parts {
		wg.Go(func() { errs[i] = f(&g.parts[i]) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (g *group) find(ctx context.Context, p *part) error {
	info, err := g.c.askInfo(ctx, g.c.mapper, p.Volume, newControl(xseg.OpInfo, p.Volume))
	p.uuid = info.UUID
	return wrap(p.Volume, "snapshot "+p.Snapshot, err)
}

func (g *group) freeze(ctx context.Context, p *part) error {
	q := g.request(p, "", 0)
	err := g.c.ask(ctx, g.c.vlmcd.first, q, func(k *xseg.Call) error {
		if p.token = k.Serviced(); p.token == 0 {
			return fmt.Errorf("%w: a freeze without a token", ErrReply)
		}
		return nil
	})
	return wrap(p.Volume, "freeze", err)
}

func (g *group) snapshot(ctx context.Context, p *part) (err error) {
	p.info, err = g.c.askInfo(ctx, g.c.vlmcd.first, p.Snapshot, g.request(p, p.Snapshot, p.token))
	return wrap(p.Volume, "snapshot "+p.Snapshot, err)
}

func (g *group) thaw(ctx context.Context, p *part) error {
	if p.token == 0 {
		return nil
	}
	return g.c.ask(ctx, g.c.vlmcd.first, g.request(p, "", p.token), nil)
}

// request is one to vlmcd about a member.
func (g *group) request(p *part, snapshot string, token uint64) *control {
	q := newNamed(xseg.OpSnapshot, p.Volume, snapshot)
	q.volume = p.uuid
	q.inline = make([]byte, MemberBytes)
	PutMemberArgs(q.inline, MemberArgs{g.args, token})
	return q
}

// commit makes the snapshots real, or with no members gives them up.
func (g *group) commit(ctx context.Context, members int) error {
	q := newControl(xseg.OpSnapshotGroup, "")
	q.inline = make([]byte, remote.GroupArgsBytes)
	remote.PutGroupArgs(q.inline, remote.GroupArgs{Group: g.args.Group, Members: members})
	for i := range g.parts {
		name := g.parts[i].Snapshot
		q.args = binary.LittleEndian.AppendUint16(q.args, uint16(len(name)))
		q.args = append(q.args, name...)
	}
	err := g.c.askOnce(ctx, g.c.mapper, q, replyError)
	if err != nil {
		return fmt.Errorf("snapshots of a group: %w", err)
	}
	return nil
}
