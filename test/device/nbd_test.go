package device

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"archipelago/internal/config"
	"archipelago/internal/nbd/client"
	"archipelago/test/testnode"
)

// TestKernelClient maps a volume by the kernel's NBD client, in a virtual machine (emulation) with
// Debian's kernel: under a file system, through an online resize, a killed and a restarted nbdd.
func TestKernelClient(t *testing.T) {
	if os.Getenv("ARCHIPELAGO_VM") == "" {
		t.Skip("takes minutes: set ARCHIPELAGO_VM=1, as make test-system does")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can show the whole root directory to a guest")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("qemu-system-x86_64 is not installed")
	}
	bin := filepath.Dir(testnode.Binary(t, "vlmc"))
	vm, err := filepath.Abs("../vm")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", filepath.Join(vm, "run.sh"), "-t", "400", "bash", filepath.Join(vm, "nbd-guest.sh"), bin)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		t.Skipf("no virtual machine here: %s", out)
	}
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestResizeUnderClient: a client that learns of a larger size from elsewhere may use it.
func TestResizeUnderClient(t *testing.T) {
	n := testnode.Start(t)
	n.Vlmc("create", "disk", "-s", "8")
	ctx, cancel := context.WithTimeout(context.Background(), testnode.Patience)
	defer cancel()
	c, err := client.Dial(ctx, "unix", n.Config().ByType(config.TypeNBD).Socket, "disk", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	data := bytes.Repeat([]byte{7}, 4096)
	if err := c.WriteAt(ctx, data, 8<<20); err == nil {
		t.Error("a write behind the end was taken")
	}
	n.Vlmc("resize", "disk", "-s", "16")
	if err := c.WriteAt(ctx, data, 8<<20); err != nil {
		t.Error(err)
	}
	got := make([]byte, len(data))
	if err := c.ReadAt(ctx, got, 8<<20); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read of what was added: %v", err)
	}
}
