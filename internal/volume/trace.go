package volume

import (
	"context"
	"time"

	"archipelago/xseg"
)

// tracePoll is how often vlmcd is asked for what it has recorded. It keeps some thousand requests
// and stops recording some seconds after it was asked last.
const tracePoll = 50 * time.Millisecond

// Traced is what one look at a traced volume has brought.
type Traced struct {
	Records []TraceRecord // requests that have ended, oldest first
	Lost    uint64        // how many before them were overwritten before they could be fetched
	Anew    bool          // vlmcd was restarted: what ended shortly before is missing
}

// Trace asks vlmcd to record the requests of a volume, and calls f again and again with those that
// have ended, until ctx ends: nil then. f's error ends it.
func (c *Client) Trace(ctx context.Context, name string, f func(Traced) error) error {
	info, err := c.Info(ctx, name)
	if err != nil {
		return err
	}
	tick := time.NewTicker(tracePoll)
	defer tick.Stop()
	next := uint64(0)
	for {
		records, now, err := c.tracePage(ctx, name, info.UUID, next)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return wrap(name, "trace", err)
		}
		if err := f(Traced{records, lostBefore(records, next, now), now < next}); err != nil {
			return err
		}
		if next = now; len(records) == TraceAtOnce {
			continue // there is more already
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// lostBefore counts the records between those that were asked for and those that came. The first
// answer comes from the moment of arming; a vlmcd that was restarted counts from 0 again.
func lostBefore(records []TraceRecord, asked, now uint64) uint64 {
	first := now
	if len(records) > 0 {
		first = records[0].Number
	}
	if asked == 0 || first < asked {
		return 0
	}
	return first - asked
}

// tracePage fetches the records from a number on; next is the number to ask for then.
func (c *Client) tracePage(ctx context.Context, name string, u xseg.UUID, from uint64) (records []TraceRecord, next uint64, err error) {
	q := newControl(xseg.OpTrace, name)
	q.volume, q.offset, q.room = u, from, TraceRoom
	err = c.ask(ctx, c.vlmcd.first, q, func(k *xseg.Call) (err error) {
		n := k.Serviced()
		if n > uint64(len(k.Data())) {
			return ErrReply
		}
		if records, err = ParseTrace(k.Data()[:n]); err != nil {
			return err
		}
		next, err = parseTraceNext(k.Payload()[:k.PayloadLen()])
		return err
	})
	return records, next, err
}
