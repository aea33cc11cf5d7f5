package monitoring

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/test/testnode"
)

// terminal is a terminal of 80 columns and 24 rows with a program on it.
type terminal struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	cmd    *exec.Cmd

	mu     sync.Mutex
	output string
}

func onTerminal(t *testing.T, program string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { slave.Close() })
	x := &terminal{t: t, master: master, slave: slave, cmd: exec.Command(program, args...)}
	x.size(80, 24)
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.cmd.Process.Kill() })
	go x.read()
	return x
}

func (x *terminal) read() {
	b := make([]byte, 4096)
	for {
		n, err := x.master.Read(b)
		x.mu.Lock()
		x.output += string(b[:n])
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (x *terminal) size(columns, rows uint16) {
	x.t.Helper()
	ws := unix.Winsize{Col: columns, Row: rows}
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &ws); err != nil {
		x.t.Fatal(err)
	}
}

// await waits until a text has been shown since the last await, and forgets what was shown before.
func (x *terminal) await(text string) string {
	x.t.Helper()
	for limit := time.Now().Add(testnode.Patience); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		x.mu.Lock()
		i := strings.Index(x.output, text)
		if i >= 0 {
			before := x.output[:i]
			x.output = x.output[i+len(text):]
			x.mu.Unlock()
			return before
		}
		x.mu.Unlock()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.t.Fatalf("%q was never shown; the end of what was: %q", text, x.output[max(0, len(x.output)-2000):])
	return ""
}

func (x *terminal) typed(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// echoes tells whether the terminal is as it usually is.
func (x *terminal) echoes() bool {
	x.t.Helper()
	m, err := unix.IoctlGetTermios(int(x.slave.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return m.Lflag&unix.ECHO != 0 && m.Lflag&unix.ICANON != 0
}
