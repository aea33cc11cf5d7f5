package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// idleNode runs a whole node that nobody uses, and tells what its processes use meanwhile.
func idleNode(ctx context.Context, o *options) (markdown string, err error) {
	program := filepath.Join(o.bin, "archipelago")
	if _, err := os.Stat(program); err != nil {
		progress("SKIP idle: no commands in %s: make build", o.bin)
		return "### An idle node\n\nNot measured: the commands were not built.\n", nil
	}
	dir, err := os.MkdirTemp("", "archip-test-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n, err := startNode(ctx, program, dir, variant{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	processes, err := n.processes()
	if err != nil {
		return "", err
	}
	used, err := usedIdle(ctx, processes, o.idle)
	if err != nil {
		return "", err
	}
	return idleTable(o, processes, used), nil
}

// usedIdle returns what each process uses in d while nobody asks for anything.
func usedIdle(ctx context.Context, processes []named, d time.Duration) ([]usage, error) {
	// What starting and the last requests have left behind: collections, timers, flushes.
	if err := sleep(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	before, err := usages(processes)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, d); err != nil {
		return nil, err
	}
	used, err := usages(processes)
	for i := range used {
		used[i].cpu -= before[i].cpu
		used[i].wakes -= before[i].wakes
	}
	return used, err
}

func idleTable(o *options, processes []named, used []usage) string {
	t := newTable("process", "processor time", "part of a core", "sleeps per second")
	var sum usage
	row := func(name string, u usage) {
		t.add(name, millis(u.cpu), fmt.Sprintf("%.3f %%", 100*u.cpu.Seconds()/o.idle.Seconds()),
			fmt.Sprintf("%.1f", float64(u.wakes)/o.idle.Seconds()))
	}
	for i, p := range processes {
		u := used[i]
		sum.cpu += u.cpu
		sum.wakes += u.wakes
		row(p.name, u)
	}
	row("all", sum)
	return "### An idle node\n\n" + t.String() + fmt.Sprintf("\nOver %v. A sleep is one of any thread, the Go runtime's "+
		"own included.\n", o.idle)
}

// named is a process and what to call it.
type named struct {
	name string
	pid  int
}

func usages(list []named) ([]usage, error) {
	var all []usage
	for _, p := range list {
		u, err := usageOf(p.pid)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, u)
	}
	return all, nil
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
