package device

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/test/testnode"
)

// process returns the process of a role; 0 = none holds its port.
func process(n *testnode.Node, role string) int {
	for _, p := range n.Peers() {
		if p.Role == role {
			return p.PID
		}
	}
	return 0
}

// kill kills the process of a role and returns which one it was.
func kill(t *testing.T, n *testnode.Node, role string) int {
	t.Helper()
	pid := process(n, role)
	if pid == 0 {
		t.Fatalf("role %s doesn't run", role)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	return pid
}

// await waits until another process than old serves a role and the file system is back.
func await(t *testing.T, n *testnode.Node, role string, old int) {
	t.Helper()
	// Nothing tells a client that a peer is ready: it is looked at.
	for end := time.Now().Add(testnode.Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if pid := process(n, role); pid != 0 && pid != old && ready(n, pid) {
			return
		}
	}
	t.Fatalf("role %s is not started again", role)
}

// ready says whether the supervisor has logged that a process is ready.
func ready(n *testnode.Node, pid int) bool {
	return slices.ContainsFunc(strings.Split(n.Log(), "\n"), func(line string) bool {
		return strings.Contains(line, "peer is ready") && strings.Contains(line+" ", fmt.Sprintf("pid=%d ", pid))
	})
}
