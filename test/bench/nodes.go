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

	"archipelago/internal/config"
	"archipelago/xseg"
)

// node is a running `archipelago run`.
type node struct {
	cmd    *exec.Cmd
	cfg    *config.Config
	source []string // flags that name it to a command
}

// variant is what a node differs in. The zero value is a node in a directory with a process per role.
type variant struct {
	title string   // in tables
	name  string   // of its directory; "" = node
	flags []string // of `archipelago run`
	// direct makes the data blocker pass by the page cache: by a configuration file that else says what
	// a node in a directory has.
	direct bool
}

func startNode(ctx context.Context, program, dir string, v variant) (*node, error) {
	// The segment and its sockets are where this process looks for them, too.
	if err := os.Setenv("XDG_RUNTIME_DIR", dir); err != nil {
		return nil, err
	}
	if v.name == "" {
		v.name = "node"
	}
	n, err := newNode(filepath.Join(dir, v.name), v)
	if err != nil {
		return nil, err
	}
	n.cmd = exec.CommandContext(ctx, program, append(append([]string{"run"}, n.source...), v.flags...)...)
	n.cmd.Cancel = func() error { return n.cmd.Process.Signal(syscall.SIGTERM) }
	log, err := os.Create(filepath.Join(dir, v.name+".log"))
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

// newNode makes the directory of a node and its configuration.
func newNode(dir string, v variant) (*node, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	cfg, err := config.ForDir(dir)
	if err != nil {
		return nil, err
	}
	n := &node{cfg: cfg, source: []string{"-d", dir}}
	if !v.direct {
		return n, nil
	}
	file := filepath.Join(dir, "archipelago.conf")
	if err := writeConfig(file, cfg); err != nil {
		return nil, err
	}
	n.source = []string{"-c", file}
	n.cfg, err = config.Read(file)
	return n, err
}

// writeConfig writes a file that says of a node what the built-in configuration of its directory
// says, but that its data blocker passes by the page cache; and makes the directories in it.
func writeConfig(path string, cfg *config.Config) error {
	b, m := cfg.Role("blockerb"), cfg.Role("blockerm")
	text := fmt.Sprintf(`SEGMENT_NAME = '%s'
SEGMENT_SIZE = %d
RUNTIME_DIR = '%s'
nodes = '%s'
roles = [('blockerb', 'file_blocker'), ('blockerm', 'file_blocker'), ('mapperd', 'mapperd'),
         ('vlmcd', 'vlmcd'), ('nbdd', 'nbdd')]
blockerb = {'portno': 1000, 'archip_dir': '%s', 'lock_dir': '%s', 'direct': True}
blockerm = {'portno': 1002, 'archip_dir': '%s', 'lock_dir': '%s'}
mapperd = {'portno': 1001, 'blockerb_port': 1000, 'blockerm_port': 1002}
vlmcd = {'portno_start': 500, 'portno_end': 999, 'blocker_port': 1000, 'mapper_port': 1001}
nbdd = {'portno': 1030, 'vlmcd_port': 500, 'mapper_port': 1001}
`, cfg.SegmentName, cfg.SegmentSize, cfg.RuntimeDir, cfg.Nodes, b.ArchipDir, b.LockDir, m.ArchipDir, m.LockDir)
	err := os.WriteFile(path, []byte(text), 0o600)
	for _, dir := range []string{b.ArchipDir, b.LockDir, m.ArchipDir} {
		err = errors.Join(err, os.Mkdir(dir, 0o700))
	}
	return err
}

func (n *node) stop() error {
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("stop of the node: %w", err)
	}
	return nil
}

// cached is where the data lies that the node serves from the page cache: nowhere if it passes by it.
func (n *node) cached() []string {
	if b := n.cfg.Role("blockerb"); !b.Direct {
		return []string{b.ArchipDir}
	}
	return nil
}

// processes returns the supervisor and who holds a port, each process once.
func (n *node) processes() ([]named, error) {
	seg, err := xseg.Join(n.cfg.SegmentName)
	if err != nil {
		return nil, err
	}
	defer seg.Leave()
	list := []named{{"supervisor", n.cmd.Process.Pid}}
	known := map[int]bool{n.cmd.Process.Pid: true}
	for _, p := range seg.Ports() {
		if p.Alive && !known[p.PID] {
			known[p.PID] = true
			list = append(list, named{p.Role, p.PID})
		}
	}
	return list, nil
}

// nbdSocket returns the path of the node's NBD socket.
func (n *node) nbdSocket() (string, error) {
	r := n.cfg.ByType(config.TypeNBD)
	if r == nil {
		return "", errors.New("the node has no NBD server")
	}
	return r.Socket, nil
}
