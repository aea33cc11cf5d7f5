package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/filed"
	"archipelago/peers/mapper"
)

const (
	listPage   = 32 << 10 // bytes
	listRounds = 3        // each in a store that has just been opened
)

// listing times the pages of a list of many volumes. Only the names count, so the records are empty
// files: they are made where a sync costs nothing, and copied.
func listing(ctx context.Context, o *mapsOptions) (text string, err error) {
	s, err := newMapStore(o.dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := putNames(ctx, filepath.Join(s.dir, "maps"), o.names); err != nil {
		return "", err
	}
	var first, next, all durations
	for range listRounds {
		if err := errors.Join(ctx.Err(), s.reopen()); err != nil {
			return "", err
		}
		if err := listOnce(s, o.names, &first, &next, &all); err != nil {
			return "", err
		}
	}
	t := newTable("what", "median", "best", "worst", "times")
	t.add(append([]string{"first page"}, first.cells()...)...)
	if len(next) > 0 {
		t.add(append([]string{"next page"}, next.cells()...)...)
	}
	t.add(append([]string{"all pages"}, all.cells()...)...)
	return "### Lists\n\n" + t.String() + fmt.Sprintf("\nOf %d volumes, in pages of %d KiB, by a store that has just been "+
		"opened; their directories are in the\npage cache.\n", o.names, listPage>>10), nil
}

// listOnce reads the whole list, and checks that it is whole.
func listOnce(s *mapStore, names int, first, next, all *durations) error {
	op := mapper.Op{Kind: mapper.List, Data: make([]byte, listPage)}
	page, seen, start := first, 0, time.Now()
	for {
		if err := page.time(func() error { return mapper.Do(s.Engine, &op) }); err != nil {
			return err
		}
		err := blocker.Names(op.Data[:op.N], func(name string) error {
			seen++
			op.Other = strings.Clone(name)
			return nil
		})
		if err != nil {
			return err
		}
		if !op.More {
			break
		}
		page = next
	}
	*all = append(*all, float64(time.Since(start))/float64(time.Millisecond))
	if seen != names {
		return fmt.Errorf("%d names of %d were listed", seen, names)
	}
	return nil
}

// reopen opens the store of maps again, so that it keeps nothing of earlier lists.
func (s *mapStore) reopen() error {
	err := errors.Join(s.Engine.Close(), s.maps.Close())
	s.Engine, s.maps = nil, nil
	if err == nil {
		s.maps, err = s.openFiles("maps")
	}
	if err == nil {
		err = s.start(time.Hour)
	}
	return err
}

// putNames makes records of that many volumes in the directory of a store.
func putNames(ctx context.Context, dir string, count int) (err error) {
	quick, err := os.MkdirTemp("/dev/shm", "archip-test-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(quick)) }()
	store, err := filed.Open(filed.Options{Dir: quick, Owner: "names"})
	if err != nil {
		return err
	}
	if err := errors.Join(createNames(ctx, store, count), store.Close()); err != nil {
		return err
	}
	records := filepath.Dir(mapfmt.RecordName("x"))
	return os.CopyFS(filepath.Join(dir, records), os.DirFS(filepath.Join(quick, records)))
}

func createNames(ctx context.Context, store blocker.Store, count int) error {
	const atOnce = 4
	var wait sync.WaitGroup
	errs := make([]error, atOnce)
	for w := range atOnce {
		wait.Go(func() {
			for n := w; n < count && errs[w] == nil; n += atOnce {
				name := mapfmt.RecordName(fmt.Sprintf("volume-%06d", n))
				errs[w] = errors.Join(ctx.Err(), blocker.Do(store, &blocker.Op{Kind: blocker.Create, Name: name}))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
