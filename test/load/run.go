package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
)

// Run writes, and now and then checks and flushes, with the given number of workers until ctx
// ends or something is wrong. Errors that come because ctx ended are not reported.
func (c *Checker) Run(ctx context.Context, d Device, workers int, seed uint64) error {
	return c.RunUntil(ctx, ctx.Done(), d, workers, seed)
}

// RunUntil is Run that ends in peace when stop is closed: no call is given up, so that nothing of
// this load happens after it has returned.
func (c *Checker) RunUntil(ctx context.Context, stop <-chan struct{}, d Device, workers int, seed uint64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for w := range workers {
		wg.Go(func() {
			if err := c.worker(ctx, stop, d, rand.New(rand.NewPCG(seed, uint64(w)))); err != nil && ctx.Err() == nil {
				mu.Lock()
				first = errors.Join(first, err)
				mu.Unlock()
				cancel(err)
			}
		})
	}
	wg.Wait()
	return first
}

func (c *Checker) worker(ctx context.Context, stop <-chan struct{}, d Device, rng *rand.Rand) error {
	buf := make([]byte, BlockSize)
	for !closed(stop) && ctx.Err() == nil {
		var err error
		switch i := rng.IntN(len(c.blocks) - c.Spared); rng.IntN(20) {
		case 0:
			err = d.Flush(ctx)
		case 1, 2, 3, 4, 5:
			err = c.Check(ctx, d, i, buf)
		default:
			err = c.Write(ctx, d, i, buf)
		}
		if err != nil && !c.forgives(err) {
			return err
		}
	}
	return nil
}

// forgives never forgives wrong data.
func (c *Checker) forgives(err error) bool {
	if _, wrong := errors.AsType[*WrongError](err); wrong || c.Forgive == nil {
		return false
	}
	return c.Forgive(err)
}

func closed(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
