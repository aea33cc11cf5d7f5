package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"archipelago/internal/nbd/client"
)

// idleVolumes holds many volumes open through NBD, without any request, and tells what the node's
// processes use meanwhile.
func idleVolumes(ctx context.Context, o *volumesOptions) (markdown string, err error) {
	d, err := newBenchDir(&volumesOptions{dir: o.dir, size: 1 << 20})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	n, err := startNode(ctx, filepath.Join(o.bin, "archipelago"), d.path, variant{})
	if err != nil {
		return "", err
	}
	s := &archipelagoServer{bin: o.bin, node: n}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.procs, err = n.processes(); err != nil {
		return "", err
	}
	if s.sock, err = n.nbdSocket(); err != nil {
		return "", err
	}
	clients, err := s.holdOpen(ctx, o.open)
	defer func() {
		for _, c := range clients {
			_ = c.Close() // nothing was written since the last flush
		}
	}()
	if err != nil {
		return "", err
	}
	return watchIdle(ctx, o, s.procs)
}

// holdOpen makes volumes, writes a block to each, and keeps a connection to it.
func (s *archipelagoServer) holdOpen(ctx context.Context, n int) (clients []*client.Client, err error) {
	block := make([]byte, 4096)
	for i := range n {
		name := fmt.Sprintf("idle%d", i)
		if err := s.vlmc(ctx, "create", name, "--size", "10G"); err != nil {
			return clients, err
		}
		c, err := client.Dial(ctx, "unix", s.sock, name, client.Options{})
		if err != nil {
			return clients, err
		}
		clients = append(clients, c)
		if err := c.WriteDurable(ctx, block, 0); err != nil {
			return clients, err
		}
	}
	return clients, nil
}

func watchIdle(ctx context.Context, o *volumesOptions, processes []named) (string, error) {
	idle, err := usedIdle(ctx, processes, o.idle)
	if err != nil {
		return "", err
	}
	t := newTable("process", "part of a core", "private memory", "with the segment")
	var cpu time.Duration
	var private, all int64
	for i, p := range processes {
		own, err := privateMemory(p.pid)
		if err != nil {
			return "", err
		}
		kib, err := numberIn(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid), "Pss")
		if err != nil {
			return "", err
		}
		used := idle[i].cpu
		cpu, private, all = cpu+used, private+own, all+kib<<10
		t.add(p.name, coreShare(used, o.idle), mebis(own), mebis(kib<<10))
	}
	t.add("all", coreShare(cpu, o.idle), mebis(private), mebis(all))
	return fmt.Sprintf("### An idle node with %d volumes open\n\n", o.open) + t.String() + fmt.Sprintf("\nOver %v; each volume is held by an NBD "+
		"connection and was written to once. Memory that processes share counts in parts. Goal: less than 1 %% of a core and "+
		"300 MiB in all.\n", o.idle), nil
}

func coreShare(used, d time.Duration) string {
	return fmt.Sprintf("%.3f %%", 100*used.Seconds()/d.Seconds())
}
