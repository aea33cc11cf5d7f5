package xsegtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"archipelago/xseg"
)

// childEnv carries the role of a child process and its arguments.
const childEnv = "XSEGTEST_CHILD"

// Role is what a child process does. It calls ready once it serves, and returns when ctx ends.
type Role func(ctx context.Context, s *xseg.Segment, args []string, ready func()) error

// Main runs a package's tests, or, in a child process, the role that it was started for. Roles of
// the package's own come on top of those of this package.
func Main(m *testing.M, roles map[string]Role) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		os.Exit(m.Run())
	}
	if err := runChild(strings.Fields(spec), roles); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild(spec []string, roles map[string]Role) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A child must not outlive the test, however that ends: its standard input ends with it.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	role, ok := roles[spec[0]]
	if !ok {
		role, ok = Roles[spec[0]]
	}
	if !ok {
		return fmt.Errorf("no role %q", spec[0])
	}
	killAt(os.Getenv(killEnv))
	s, err := xseg.Join(spec[1])
	if err != nil {
		return err
	}
	return role(ctx, s, spec[2:], func() { fmt.Println("ready") })
}

// Child is a peer in a process of its own.
type Child struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
	once  sync.Once // waits for its end
}

// Child starts a child process in a role, with arguments for it, and environment variables. It is
// killed when the test ends.
func (n *Node) Child(t testing.TB, role string, args []string, env ...string) *Child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(append(os.Environ(), env...),
		childEnv+"="+strings.Join(append([]string{role, n.Name}, args...), " "))
	if n.Eventfd {
		cmd.Env = append(cmd.Env, eventfdEnv+"=1")
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &Child{t: t, cmd: cmd, stdin: in, out: bufio.NewReader(out)}
	t.Cleanup(c.Kill)
	return c
}

// Ready waits until the child serves; false if it ended before.
func (c *Child) Ready() bool {
	line, err := c.out.ReadString('\n')
	return err == nil && line == "ready\n"
}

// Line returns the child's next line of output, without its end; "" when it has ended.
func (c *Child) Line() string {
	line, _ := c.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n")
}

// PID returns the child's process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Signal sends the child a signal.
func (c *Child) Signal(s os.Signal) { _ = c.cmd.Process.Signal(s) }

// Kill kills the child and waits for its end.
func (c *Child) Kill() {
	c.Signal(syscall.SIGKILL)
	c.Wait()
}

// State waits for the child's end and says how it ended.
func (c *Child) State() *os.ProcessState {
	c.Wait()
	return c.cmd.ProcessState
}

// Crashed tells, after Wait or Kill, whether the child ended by itself in a Go crash (a panic, or
// a fault on memory).
func (c *Child) Crashed() bool {
	st, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && (st.Exited() && st.ExitStatus() == 2 ||
		st.Signaled() && st.Signal() != syscall.SIGKILL && st.Signal() != syscall.SIGTERM)
}

// Succeeded tells, after Wait, whether the child ended in order.
func (c *Child) Succeeded() bool { return c.cmd.ProcessState.Success() }

// Wait waits for the child's end.
func (c *Child) Wait() {
	c.once.Do(func() {
		_ = c.cmd.Wait()
		_ = c.stdin.Close()
	})
}
