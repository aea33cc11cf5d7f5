// Package systemdtest is a double of systemd for tests: a private D-Bus daemon on which the test
// itself answers as the system manager. It needs dbus-daemon, and no right.
package systemdtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// policy lets everybody do everything on a bus of our own.
const policy = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_destination="*" eavesdrop="true"/> <allow eavesdrop="true"/>
  </policy>
</busconfig>
`

// Daemon is a private bus.
type Daemon struct {
	Address string
	cmd     *exec.Cmd
}

// Bus starts a private bus, which ends with the test.
func Bus(t testing.TB) *Daemon {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	// Not t.TempDir: the path of a socket must be short.
	dir, err := os.MkdirTemp("", "archip-test-bus-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "conf")
	check(t, os.WriteFile(config, fmt.Appendf(nil, policy, filepath.Join(dir, "bus")), 0o600))
	cmd := exec.Command(program, "--config-file="+config, "--nofork", "--nopidfile", "--print-address=1")
	// The bus goes with the test, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	d := &Daemon{cmd: cmd}
	t.Cleanup(func() {
		d.Kill()
		_ = cmd.Wait() // "signal: killed"
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	d.Address = strings.TrimSpace(line)
	return d
}

// Kill ends the bus at once; all connections end with it.
func (d *Daemon) Kill() { _ = d.cmd.Process.Kill() } // fails only if it has ended

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
