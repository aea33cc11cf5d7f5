package volume

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"archipelago/internal/audit"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/remote"
	"archipelago/xseg"
)

const (
	// checkSlots is how many requests a check has under way at each blocker. Tuning.
	checkSlots = 64
	// checkBufferBytes is room for the largest file that is read at once, and for pages of names.
	checkBufferBytes = 2 * blocker.MaxAtomic
	// checkRecoverySeconds is how long a check waits for the successor of a blocker that died. Not
	// for ever, as I/O does: nobody is behind a check that would rather wait than be told.
	checkRecoverySeconds = 10
)

// blockerPorts are those of the node's blockers.
type blockerPorts struct{ maps, blocks xseg.PortNo }

// Check goes through the whole store of the node, through its blockers: so it sees what they have
// acknowledged, and not what merely lies on the disk yet. Maps, Blocks and Term of o are set here.
// Only for a client made by Dial. It blocks until the check is done or ctx ends, and a little longer
// if a blocker doesn't answer.
//
// Errors are those of audit.Check. A blocker that goes away ends the check as xseg.ErrNotRunning;
// what couldn't be read because of that is reported as no finding.
func (c *Client) Check(ctx context.Context, o audit.Options) (audit.Summary, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var err error
	if o.Maps, err = c.blocker(ctx, c.blockers.maps, cancel); err != nil {
		return audit.Summary{}, err
	}
	if o.Blocks, err = c.blocker(ctx, c.blockers.blocks, cancel); err != nil {
		return audit.Summary{}, err
	}
	o.Term = c.term()
	report := o.Report
	o.Report = func(f audit.Finding) {
		if ctx.Err() == nil {
			report(f)
		}
	}
	sum, err := audit.Check(ctx, o)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("check: %w", cause)
	}
	return sum, err
}

// blocker connects to the blocker at a port. lost is called when it has gone.
func (c *Client) blocker(ctx context.Context, to xseg.PortNo, lost func(error)) (blocker.Store, error) {
	ch, err := c.dialPort(ctx, to, xseg.ChannelOptions{
		Slots: checkSlots, BufferBytes: checkBufferBytes, Wait: true, RecoverySeconds: checkRecoverySeconds,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the blocker at port %d: %w", to, err)
	}
	return &watched{remote.New(ch), to, lost}, nil
}

// watched is a store that may go away while it is used.
type watched struct {
	blocker.Store
	port xseg.PortNo
	lost func(error)
}

// Submit implements blocker.Store.
func (w *watched) Submit(op *blocker.Op) {
	done := op.Done
	op.Done = func(op *blocker.Op) {
		// Before done: who asked must not take the silence of the store for damage of the object.
		if isGone(op.Err) {
			w.lost(fmt.Errorf("blocker at port %d: %w", w.port, xseg.ErrNotRunning))
		}
		op.Done = done
		done(op)
	}
	w.Store.Submit(op)
}

// isGone says whether an error tells of the store, not of the object.
func isGone(err error) bool {
	return errors.Is(err, syscall.EHOSTDOWN) || errors.Is(err, blocker.ErrClosed) ||
		errors.Is(err, blocker.ErrFenced)
}
