package volume

import (
	"context"
	"time"

	"archipelago/xseg"
)

// FlattenOptions say how fast Flatten goes, and whom it tells.
type FlattenOptions struct {
	BytesPerSecond int64 // of what is copied, on average; 0 = as fast as it goes
	// Progress is told of each range that is done, and how much of it was copied. nil: nobody.
	Progress func(done, copied int64)
}

// Flatten makes the volume independent of others: what it shares with its origin is copied, while
// it is used. It may be ended at any time and begun again: what is done stays done. It returns how
// many bytes were copied.
func (v *Volume) Flatten(ctx context.Context, o FlattenOptions) (copied int64, err error) {
	begun := time.Now()
	for off := int64(0); off < v.info.Size && err == nil; {
		n := min(v.flattenStep(o.BytesPerSecond), v.info.Size-off)
		var part int64
		if part, err = v.flattenRange(ctx, off, n); err != nil {
			break
		}
		off += n
		copied += part
		if o.Progress != nil {
			o.Progress(n, part)
		}
		err = pace(ctx, begun, copied, o.BytesPerSecond)
	}
	return copied, wrap(v.info.Name, "flatten", err)
}

// flattenStep is how much is asked for at once: with a limit an object, so that the rate is even;
// without, enough for the node to have the next object ready.
func (v *Volume) flattenStep(rate int64) int64 {
	if rate > 0 {
		return v.info.ObjectSize
	}
	return 16 * v.info.ObjectSize
}

func (v *Volume) flattenRange(ctx context.Context, off, n int64) (copied int64, err error) {
	t := &transfer{v: v, op: xseg.OpFlatten, off: off, n: n}
	t.after = func(io *IO) { copied += int64(io.call.Serviced()) }
	err = t.run(ctx)
	return copied, err
}

// pace waits until done bytes since begun are no more than the rate allows.
func pace(ctx context.Context, begun time.Time, done, rate int64) error {
	if rate <= 0 {
		return ctx.Err()
	}
	due := begun.Add(time.Duration(float64(done) / float64(rate) * float64(time.Second)))
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
