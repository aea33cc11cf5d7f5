package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// clonesAtOnce is how many clones are made at the same time: what a cluster asks of a node.
const clonesAtOnce = 16

// manyClones makes clones of one snapshot whose map is full.
func manyClones(ctx context.Context, o *mapsOptions) (text string, err error) {
	s, err := newMapStore(o.dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err = s.full("v", o.size, ownEntry); err == nil {
		err = s.snapshot("v", "base")
	}
	if err != nil {
		return "", err
	}
	start := time.Now()
	if err := cloneAll(ctx, s, o.clones); err != nil {
		return "", err
	}
	took := time.Since(start)
	t := newTable("clones", "at once", "time", "clones/s")
	t.add(fmt.Sprint(o.clones), fmt.Sprint(clonesAtOnce), fmt.Sprintf("%.1f s", took.Seconds()),
		perSecond(float64(o.clones)/took.Seconds()))
	return "### Clones\n\n" + t.String() + fmt.Sprintf("\nOf one snapshot of %d GiB whose map is full, everything "+
		"synced. Goal: at least 200 a second.\n", o.size>>30), nil
}

func cloneAll(ctx context.Context, s *mapStore, count int) error {
	var made atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, clonesAtOnce)
	for w := range clonesAtOnce {
		wait.Go(func() {
			for n := w; n < count && errs[w] == nil; n += clonesAtOnce {
				if errs[w] = ctx.Err(); errs[w] == nil {
					errs[w] = s.clone("base", fmt.Sprintf("clone%d", n))
				}
				if done := made.Add(1); done%1000 == 0 {
					progress("  %d of %d", done, count)
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
