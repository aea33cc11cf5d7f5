package device

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"archipelago/internal/config"
	"archipelago/internal/nbd"
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
	cmd := exec.Command("bash", filepath.Join(vm, "run.sh"), "-t", "900", "bash", filepath.Join(vm, "nbd-guest.sh"), bin)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		t.Skipf("no virtual machine here: %s", out)
	}
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestResizeUnderClient: a client that learns of a larger size from elsewhere, as the kernel's does,
// may use it on the connection that it has.
func TestResizeUnderClient(t *testing.T) {
	n := testnode.Start(t)
	n.Vlmc("create", "disk", "-s", "8")
	conn, err := net.Dial("unix", n.Config().ByType(config.TypeNBD).Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := client.Enter(conn, "disk"); err != nil {
		t.Fatal(err)
	}
	if err := writeRaw(t, conn, 8<<20); err == 0 {
		t.Error("a write behind the end was taken")
	}
	n.Vlmc("resize", "disk", "-s", "16")
	if err := writeRaw(t, conn, 8<<20); err != 0 {
		t.Error(err)
	}
}

// writeRaw writes a block, whatever the size of the export was when the session began.
func writeRaw(t *testing.T, conn net.Conn, off uint64) nbd.Errno {
	t.Helper()
	q := nbd.Request{Command: nbd.CmdWrite, Offset: off, Length: 4096}
	if _, err := conn.Write(append(q.Append(nil), make([]byte, q.Length)...)); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 16)
	if _, err := io.ReadFull(conn, reply); err != nil {
		t.Fatal(err)
	}
	return nbd.DecodeHead(reply).Errno
}
