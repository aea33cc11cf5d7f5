package cli

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"archipelago/internal/config"
	"archipelago/test/pty"
	"archipelago/test/testnode"
)

// transfer is an import that goes on as long as its pipe is open.
type transfer struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
	term *pty.Terminal // its standard error, and the terminal that it belongs to
}

func beginImport(t *testing.T, n *testnode.Node, name string) *transfer {
	t.Helper()
	x := &transfer{term: pty.Open(t), cmd: exec.Command(testnode.Binary(t, "vlmc"), "import", "-", name, "-s", "64M")}
	var err error
	if x.pipe, err = x.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	x.cmd.Env = append(os.Environ(), config.EnvDir+"="+n.Dir)
	x.cmd.Stderr = x.term.Slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.cmd.Process.Kill() })
	if _, err := x.pipe.Write([]byte(strings.Repeat("data", 2<<20))); err != nil {
		t.Fatal(err)
	}
	return x
}

// erased is what takes a bar away.
const erased = "\r\x1b[K"

// TestBar: an import that takes longer than a second shows how far it is, and leaves nothing of the
// bar behind.
func TestBar(t *testing.T) {
	n := testnode.Start(t)
	x := beginImport(t, n, "v")
	x.term.Await(t, "import", testnode.Patience)
	x.pipe.Close()
	if err := x.cmd.Wait(); err != nil {
		t.Fatalf("%v: %q", err, x.term.Screen())
	}
	x.term.Await(t, "\x1b[K"+erased, testnode.Patience)
	got := x.term.Screen()
	if !strings.HasSuffix(got, erased) {
		t.Errorf("something is left of the bar: %q", got)
	}
	if !regexp.MustCompile(`\rimport [0-9.]+ MiB, [0-9.]+ [KM]?i?B/s`).MatchString(got) {
		t.Errorf("no bar: %q", got)
	}
}

// TestInterruptKey: Ctrl-C ends an import, says so below the bar, and leaves no half volume.
func TestInterruptKey(t *testing.T) {
	n := testnode.Start(t)
	x := beginImport(t, n, "v")
	x.term.Await(t, "import", testnode.Patience)
	x.term.Type(t, "\x03")
	err := x.cmd.Wait()
	if x.cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("%v, want status 130: %q", err, x.term.Screen())
	}
	x.term.Await(t, erased+"vlmc: import v: ", testnode.Patience)
	list := exec.Command(testnode.Binary(t, "vlmc"), "-d", n.Dir, "list")
	if out, err := list.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("after the interrupt: %v %q", err, out)
	}
}
