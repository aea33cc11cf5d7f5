// Package testnode runs a real node (`archipelago run -d DIR`, a process per role) for tests:
// builds the binaries once, starts and ends the node, kills its parts, and joins it as a client.
package testnode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/volume"
	"archipelago/xseg"
)

// Patience is how long anything may take before a test gives up: generous, never a measure.
const Patience = 60 * time.Second

// Node is a running node in a temporary directory.
type Node struct {
	Dir string
	// URI is the NBD URI of the ready line.
	URI string

	t    testing.TB
	opts Options
	cmd  *exec.Cmd
	log  *lockedBuffer
}

// Options are what a node may differ in. The zero value is what Start starts.
type Options struct {
	Dir string   // the node's directory; "" = a new one
	Bin string   // where the binaries lie; "" = those of EnvBin, or else built from this tree
	Env []string // added to the environment of all its processes
	// Args are added to the command line of `archipelago run`.
	Args []string
}

// EnvBin names a directory with other binaries, for tests that run themselves against faulty ones.
const EnvBin = "ARCHIPELAGO_TEST_BIN"

// lockedBuffer keeps what the node logs, for when the test fails.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tail returns the last bytes of the log.
func (l *lockedBuffer) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}

// TempDir is t.TempDir under a name that the reaper knows, and short enough for sockets.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "archip-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove test directory: %v", err)
		}
	})
	return dir
}

// Start starts a node in a new directory. It ends with the test.
func Start(t testing.TB) *Node {
	t.Helper()
	return StartWith(t, Options{})
}

// StartWith is Start of a node that differs.
func StartWith(t testing.TB, o Options) *Node {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(TempDir(t), "node")
	}
	n := &Node{Dir: o.Dir, t: t, opts: o, log: &lockedBuffer{}}
	n.Run()
	t.Cleanup(func() {
		n.Stop()
		if t.Failed() {
			t.Logf("end of the node's log:\n%s", n.log.tail(12000))
		}
	})
	return n
}

// Run starts the node (again) and waits for its ready line.
func (n *Node) Run() {
	n.t.Helper()
	n.cmd = exec.Command(n.binary("archipelago"), append([]string{"run", "-d", n.Dir}, n.opts.Args...)...)
	n.cmd.Env = append(os.Environ(), n.opts.Env...)
	n.cmd.Stderr = n.log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if uri, ok := strings.CutPrefix(lines.Text(), "ready: "); ok {
				ready <- uri
			}
		}
		close(ready)
	}()
	select {
	case uri, ok := <-ready:
		if !ok {
			err := n.cmd.Wait()
			n.cmd = nil
			n.t.Fatalf("the node ended before it was ready: %v\n%s", err, n.log.tail(4000))
		}
		n.URI = uri
	case <-time.After(Patience):
		n.t.Fatalf("the node is not ready after %v\n%s", Patience, n.log.tail(4000))
	}
}

// Stop ends the node cleanly and checks that it says so.
func (n *Node) Stop() {
	n.t.Helper()
	if n.cmd == nil {
		return
	}
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Error(err)
	}
	timer := time.AfterFunc(Patience, func() { _ = n.cmd.Process.Kill() })
	defer timer.Stop()
	if err := n.cmd.Wait(); err != nil {
		n.t.Errorf("stop of the node: %v\n%s", err, n.log.tail(4000))
	}
	n.cmd = nil
}

// KillAll sends SIGKILL to the supervisor and to every peer, as close together as can be, and
// waits until all are gone.
func (n *Node) KillAll() {
	n.t.Helper()
	pids := []int{n.cmd.Process.Pid}
	for _, p := range n.Peers() {
		pids = append(pids, p.PID)
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = n.cmd.Wait()
	n.cmd = nil
	for _, pid := range pids[1:] {
		waitGone(n.t, pid)
	}
}

// KillSupervisor sends SIGKILL to the supervisor alone and waits for its end, not for that of its
// peers.
func (n *Node) KillSupervisor() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		n.t.Fatal(err)
	}
	_ = n.cmd.Wait() // "signal: killed"
	n.cmd = nil
}

func waitGone(t testing.TB, pid int) {
	t.Helper()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
	}
	t.Fatalf("process %d is still there", pid)
}

// zombie says whether pid has ended and only waits for whoever inherited it. Its first thread may have
// ended before the others, which hold its files open until then.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return bytes.HasPrefix(rest, []byte("Z")) && (err != nil || len(threads) == 1)
}

// Config is the node's configuration.
func (n *Node) Config() *config.Config {
	n.t.Helper()
	cfg, err := config.ForDir(n.Dir)
	if err != nil {
		n.t.Fatal(err)
	}
	return cfg
}

// Peers lists the bound ports of the node's own roles.
func (n *Node) Peers() []xseg.PortInfo {
	n.t.Helper()
	cfg := n.Config()
	seg, err := xseg.Join(cfg.SegmentName)
	if err != nil {
		n.t.Fatal(err)
	}
	defer seg.Leave()
	var peers []xseg.PortInfo
	for _, p := range seg.Ports() {
		if p.Alive && cfg.Role(p.Role) != nil {
			peers = append(peers, p)
		}
	}
	return peers
}

// Dial joins the node as a client until the test ends.
func (n *Node) Dial() *volume.Client {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	c, err := volume.Dial(ctx, n.Config(), volume.Options{Role: "test"})
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// Vlmc runs vlmc on the node and returns its standard output; a failure ends the test.
func (n *Node) Vlmc(args ...string) string {
	n.t.Helper()
	cmd := exec.Command(n.binary("vlmc"), append([]string{"-d", n.Dir}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("vlmc %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// Log returns what the node has logged so far.
func (n *Node) Log() string { return n.log.String() }

// Supervisor is the process id of the supervisor.
func (n *Node) Supervisor() int { return n.cmd.Process.Pid }

func (n *Node) binary(name string) string {
	n.t.Helper()
	if n.opts.Bin != "" {
		return filepath.Join(n.opts.Bin, name)
	}
	return Binary(n.t, name)
}

var build struct {
	once sync.Once
	dir  string
	err  error
}

// Binary returns the path of a command of the project, building all of them once.
func Binary(t testing.TB, name string) string {
	t.Helper()
	build.once.Do(buildAll)
	if build.err != nil {
		t.Fatal(build.err)
	}
	return filepath.Join(build.dir, name)
}

func buildAll() {
	if build.dir = os.Getenv(EnvBin); build.dir != "" {
		return
	}
	build.dir, build.err = filepath.Abs("../../bin")
	if build.err != nil {
		return
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", build.dir+"/", "./cmd/...")
	cmd.Dir = filepath.Dir(build.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		build.err = fmt.Errorf("build: %w\n%s", err, out)
	}
}
