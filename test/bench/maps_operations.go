package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"archipelago/peers/mapper"
)

// durations are those of one operation, in milliseconds.
type durations []float64

// time runs f and keeps how long it took.
func (d *durations) time(f func() error) error {
	start := time.Now()
	err := f()
	*d = append(*d, float64(time.Since(start))/float64(time.Millisecond))
	return err
}

func (d durations) cells() []string {
	return []string{
		fmt.Sprintf("%.2f ms", median(d)), fmt.Sprintf("%.2f ms", least(d)), fmt.Sprintf("%.2f ms", most(d)),
		fmt.Sprint(len(d)),
	}
}

// operationTimes is what is measured, in the order of the table.
type operationTimes struct {
	sync, snapshot, clone, rollback, removeSnapshot, removeClone, removeVolume durations
}

// mapOperations times what an operator waits for at a volume whose map is full.
func mapOperations(ctx context.Context, o *mapsOptions) (text string, err error) {
	s, err := newMapStore(o.dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	v, err := s.full("v", o.size, ownEntry)
	if err == nil {
		err = s.snapshot("v", "base")
	}
	if err != nil {
		return "", err
	}
	var t operationTimes
	for n := 0; err == nil && n < o.rounds; n++ {
		if err = ctx.Err(); err == nil {
			err = t.round(s, v, n)
		}
	}
	for n := 0; err == nil && n < o.whole; n++ {
		progress("  removal %d of %d", n+1, o.whole)
		if err = ctx.Err(); err == nil {
			err = t.removeFull(s, o.size, n)
		}
	}
	return t.text(o.size), err
}

// round measures everything once, in turn, so that what disturbs the machine disturbs all of it.
func (t *operationTimes) round(s *mapStore, v mapper.Info, n int) error {
	index := int64(0) // one that wasn't committed in this round: else there would be nothing to flush
	touch := func() error {
		index++
		return s.touch(v, index)
	}
	path := filepath.Join(s.dir, fmt.Sprintf("yardstick%d", n))
	for _, step := range []struct {
		into   *durations
		before func() error
		f      func() error
	}{
		{&t.sync, nil, func() error { return syncedFile(path) }},
		{&t.snapshot, touch, func() error { return s.snapshot("v", "snap") }},
		{&t.clone, touch, func() error { return s.clone("base", "clone") }},
		{&t.removeSnapshot, touch, func() error { return s.remove("snap") }},
		{&t.removeClone, touch, func() error { return s.remove("clone") }},
		{&t.rollback, touch, func() error { return s.rollback("v", "base") }},
	} {
		if step.before != nil {
			if err := step.before(); err != nil {
				return err
			}
		}
		if err := step.into.time(step.f); err != nil {
			return err
		}
	}
	return os.Remove(path)
}

// removeFull removes a volume that shares nothing. Its objects go afterwards, in the background; a
// new engine each time keeps that away from the next measurement.
func (t *operationTimes) removeFull(s *mapStore, size int64, n int) error {
	v, err := s.full(fmt.Sprintf("whole%d", n), size, ownEntry)
	if err == nil {
		err = s.touch(v, 5) // opens it
	}
	if err == nil {
		err = t.removeVolume.time(func() error { return s.remove(v.Name) })
	}
	if err == nil {
		err = s.start(time.Hour)
	}
	return err
}

// syncedFile is the least that anything durable costs on this file system: a new file of 4 KiB,
// synced, and its directory synced.
func syncedFile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	err = errors.Join(err, f.Sync(), f.Close())
	dir, openErr := os.Open(filepath.Dir(path))
	if err = errors.Join(err, openErr); err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (t *operationTimes) text(size int64) string {
	table := newTable("operation", "median", "best", "worst", "times")
	for _, row := range []struct {
		name string
		d    durations
	}{
		{"(yardstick: a file made and synced)", t.sync},
		{"snapshot", t.snapshot}, {"clone", t.clone}, {"rollback", t.rollback},
		{"remove the snapshot", t.removeSnapshot}, {"remove a clone", t.removeClone},
		{"remove the volume", t.removeVolume},
	} {
		if len(row.d) > 0 {
			table.add(append([]string{row.name}, row.d.cells()...)...)
		}
	}
	return fmt.Sprintf("### Operations\n\n%sAt a volume of %d GiB whose map is full, everything synced. One object was "+
		"committed before each, so\nthat there is something to flush. The yardstick is a new file of 4 KiB, synced, and "+
		"its directory\nsynced, in the same rounds. Goal: 10 ms each.\n", table.String()+"\n", size>>30)
}
