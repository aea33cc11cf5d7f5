package system

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// boot bounds one run of the guest: generous, for machines that do much else, never a measure.
const boot = 10 * time.Minute

// guest is a running virtual machine.
type guest struct {
	t       *testing.T
	cmd     *exec.Cmd
	console string // path of what it says
	stderr  bytes.Buffer
	ended   chan error
}

// start starts a machine whose disk is what blockdev says. It ends with the test.
func start(t *testing.T, kernel, blockdev string) *guest {
	t.Helper()
	g := &guest{t: t, console: filepath.Join(t.TempDir(), "console"), ended: make(chan error, 1)}
	g.cmd = exec.Command("qemu-system-x86_64",
		"-M", "q35", "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max,pcid=off,la57=off", "-smp", "1", "-m", "512",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", filepath.Join(kernel, "vmlinux"), "-initrd", filepath.Join(kernel, "initramfs"),
		"-append", "console=ttyS0 panic=-1 quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=on "+
			"no_timer_check vm.root=blk systemd.unit=load.target systemd.show_status=0",
		"-serial", "file:"+g.console,
		"-device", "virtio-rng-pci",
		"-blockdev", blockdev,
		// The guest must see no error: none is turned into a pause of the machine.
		"-device", "virtio-blk-pci,drive=disk,rerror=report,werror=report")
	g.cmd.Stderr = &g.stderr
	// A killed test must not leave it running.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { g.ended <- g.cmd.Wait() }()
	t.Cleanup(func() { _ = g.cmd.Process.Kill() }) // it has ended, unless the test has failed
	return g
}

func (g *guest) said() string {
	b, err := os.ReadFile(g.console)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // QEMU makes it
		g.t.Fatal(err)
	}
	return string(b)
}

// await waits until the guest says something; false: it has ended before.
func (g *guest) await(what string) bool {
	g.t.Helper()
	for end := time.Now().Add(boot); time.Now().Before(end); {
		if strings.Contains(g.said(), what) {
			return true
		}
		select {
		case err := <-g.ended:
			g.ended <- err
			return strings.Contains(g.said(), what)
		case <-time.After(50 * time.Millisecond): // a file tells nobody that it has grown
		}
	}
	g.fail("it doesn't say %q", what)
	return false
}

// end waits until the machine is off.
func (g *guest) end() {
	g.t.Helper()
	select {
	case err := <-g.ended:
		if err != nil {
			g.ended <- err
			g.fail("QEMU failed")
		}
	case <-time.After(boot):
		g.fail("it doesn't end")
	}
	if said := g.said(); strings.Contains(said, "I/O error") {
		g.fail("it saw I/O errors")
	}
}

func (g *guest) fail(format string, args ...any) {
	g.t.Helper()
	said := g.said()
	select {
	case err := <-g.ended:
		g.t.Logf("QEMU has ended: %v\n%s", err, g.stderr.String())
	default:
	}
	g.t.Fatalf("the guest: "+format+"\nend of its console:\n%s", append(args, said[max(0, len(said)-3000):])...)
}
