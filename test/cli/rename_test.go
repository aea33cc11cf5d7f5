package cli

import (
	"bytes"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"archipelago/test/testnode"
	"archipelago/xseg"
)

// TestRenamedUnderAProgram: a program that has a volume open goes on when it is renamed, also after
// the peers that knew the former name were killed, and another volume has got that name.
func TestRenamedUnderAProgram(t *testing.T) {
	n := testnode.Start(t)
	ctx := t.Context()
	c := n.Dial()
	defer c.Close()
	if _, err := c.Create(ctx, "old", 16<<20, 0); err != nil {
		t.Fatal(err)
	}
	v, err := c.Open(ctx, "old")
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("x"), 8192)
	if err := v.WriteAt(ctx, data, 4096); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"rename", "old", "new"}, {"create", "old", "-s", "1M"}} {
		cmd := exec.Command(testnode.Binary(t, "vlmc"), append([]string{"-d", n.Dir}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	for _, roles := range [][]string{{"vlmcd"}, {"mapperd"}, {"vlmcd", "mapperd"}} {
		for _, role := range roles {
			killRole(t, n, role)
		}
		got := make([]byte, len(data))
		if err := v.ReadAt(ctx, got, 4096); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("after the death of %v: %v", roles, err)
		}
		if err := v.WriteAt(ctx, data, 8<<20); err != nil {
			t.Fatalf("after the death of %v: %v", roles, err)
		}
	}
	if err := v.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// killRole kills the process of a role, which the supervisor starts again.
func killRole(t *testing.T, n *testnode.Node, role string) {
	t.Helper()
	is := func(p xseg.PortInfo) bool { return p.Role == role }
	ports := n.Peers()
	at := slices.IndexFunc(ports, is)
	for end := time.Now().Add(testnode.Patience); at < 0; at = slices.IndexFunc(ports, is) {
		if time.Now().After(end) {
			t.Fatalf("role %s isn't there after %v", role, testnode.Patience)
		}
		time.Sleep(time.Millisecond) // a port that is being bound again gives no sign
		ports = n.Peers()
	}
	if err := syscall.Kill(ports[at].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	untilReaped(ports[at].PID)
}
