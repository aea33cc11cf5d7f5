package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"archipelago/internal/config"
	"archipelago/xseg"
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
	n, err := startNode(ctx, program, dir)
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

// node is a running `archipelago run`.
type node struct {
	cmd *exec.Cmd
	dir string
}

func startNode(ctx context.Context, program, dir string) (*node, error) {
	n := &node{dir: filepath.Join(dir, "node")}
	// The segment and its sockets are where this process looks for them, too.
	if err := os.Setenv("XDG_RUNTIME_DIR", dir); err != nil {
		return nil, err
	}
	n.cmd = exec.CommandContext(ctx, program, "run", "-d", n.dir)
	n.cmd.Cancel = func() error { return n.cmd.Process.Signal(syscall.SIGTERM) }
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	n.cmd.Stderr = log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready:") {
		text, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("the node said %q, and logged: %s", line, text), n.stop())
	}
	return n, nil
}

func (n *node) stop() error {
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("stop of the node: %w", err)
	}
	return nil
}

// processes returns the supervisor and who holds a port.
func (n *node) processes() ([]named, error) {
	cfg, err := config.ForDir(n.dir)
	if err != nil {
		return nil, err
	}
	seg, err := xseg.Join(cfg.SegmentName)
	if err != nil {
		return nil, err
	}
	defer seg.Leave()
	list := []named{{"supervisor", n.cmd.Process.Pid}}
	for _, p := range seg.Ports() {
		if p.Alive {
			list = append(list, named{p.Role, p.PID})
		}
	}
	return list, nil
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
