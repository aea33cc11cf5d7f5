package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	"archipelago/internal/node"
	"archipelago/test/testnode"
)

func TestScripts(t *testing.T) {
	bin := filepath.Dir(testnode.Binary(t, "vlmc"))
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return setup(env, bin) },
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node-start":   nodeStart,
			"node-stop":    nodeStop,
			"node-kill":    nodeKill,
			"node-crash":   nodeCrash,
			"code":         code,
			"sparse":       sparse,
			"allocated":    allocated,
			"group-record": groupRecord,
		},
	})
}

// condition knows "configured" (this machine has a configuration of its own) and "mounts" (we may
// mount in a name space of our own).
func condition(name string) (bool, error) {
	switch name {
	case "configured":
		_, err := os.Stat(config.DefaultPath)
		return err == nil, nil
	case "mounts":
		return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt").Run() == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// setup gives a script short paths (sockets) and a clean environment.
func setup(env *testscript.Env, bin string) error {
	run, err := os.MkdirTemp("", "archip-test-")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(run) })
	env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("RUN", run)
	env.Setenv(config.EnvDir, "")
	env.Setenv(config.EnvFile, "")
	env.Values["node"] = &server{}
	return nil
}

// server is the node of a script.
type server struct {
	cmd *exec.Cmd
	dir string
	log lockedBuffer
}

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

func nodeStart(ts *testscript.TestScript, neg bool, args []string) {
	flags := 0
	for flags < len(args) && strings.HasPrefix(args[flags], "-") {
		flags++
	}
	if neg || len(args) > flags+1 {
		ts.Fatalf("usage: node-start [FLAG …] [DIR]")
	}
	s := ts.Value("node").(*server)
	s.dir = ts.MkAbs("node")
	if len(args) > flags {
		s.dir = ts.MkAbs(args[flags])
	}
	s.cmd = exec.Command("archipelago", append([]string{"run", "-d", s.dir}, args[:flags]...)...)
	if path, err := lookPath(ts, "archipelago"); err == nil {
		s.cmd.Path, s.cmd.Err = path, nil
	}
	s.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"), "GORACE=atexit_sleep_ms=0")
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	ts.Defer(func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Signal(syscall.SIGTERM)
			_ = s.cmd.Wait() // what a script leaves running isn't judged
		}
	})
	ts.Setenv("NBD", readyLine(ts, s, out))
	ts.Setenv("NODE", s.dir)
	ts.Setenv(config.EnvDir, s.dir)
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// readyLine waits for the line, and returns the URI in it.
func readyLine(ts *testscript.TestScript, s *server, out io.Reader) string {
	lines := make(chan string, 1)
	go func() {
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			default:
			}
		}
		close(lines)
	}()
	select {
	case line := <-lines:
		if uri, ok := strings.CutPrefix(line, "ready: "); ok {
			return uri
		}
		_ = s.cmd.Wait()
		s.cmd = nil
		ts.Fatalf("the node ended before it was ready; it printed %q\n%s", line, s.log.String())
	case <-time.After(testnode.Patience):
		ts.Fatalf("the node isn't ready after %v\n%s", testnode.Patience, s.log.String())
	}
	return ""
}

func nodeStop(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value("node").(*server)
	if neg || len(args) > 0 || s.cmd == nil {
		ts.Fatalf("usage: node-stop, after node-start")
	}
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	err := s.cmd.Wait()
	s.cmd = nil
	if err != nil {
		ts.Fatalf("stop of the node: %v\n%s", err, s.log.String())
	}
}

// nodeCrash kills the supervisor; that its peers are gone the next start sees to.
func nodeCrash(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value("node").(*server)
	if neg || len(args) > 0 || s.cmd == nil {
		ts.Fatalf("usage: node-crash, after node-start")
	}
	ts.Check(s.cmd.Process.Kill())
	_ = s.cmd.Wait() // "signal: killed"
	s.cmd = nil
}

func nodeKill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: node-kill ROLE")
	}
	cfg, err := config.ForDir(ts.Value("node").(*server).dir)
	ts.Check(err)
	rep, err := node.Status(cfg)
	ts.Check(err)
	for _, r := range rep.Roles {
		if r.Role != args[0] {
			continue
		}
		fd, err := unix.PidfdOpen(r.PID, 0)
		ts.Check(err)
		defer unix.Close(fd)
		ts.Check(unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
		for err = unix.EINTR; errors.Is(err, unix.EINTR); {
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		}
		ts.Check(err)
		untilReaped(r.PID)
		return
	}
	ts.Fatalf("no role %s", args[0])
}

// untilReaped waits until the supervisor has collected a dead peer: a stop that came before that
// would count the kill as a peer that did not stop cleanly.
func untilReaped(pid int) {
	for {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(time.Millisecond) // a dead child of another process gives no sign
	}
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func sparse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sparse FILE SIZE AT...")
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	numbers := make([]int64, len(args)-1)
	for i, a := range args[1:] {
		numbers[i], err = strconv.ParseInt(a, 10, 64)
		ts.Check(err)
	}
	ts.Check(f.Truncate(numbers[0]))
	random := rand.NewChaCha8([32]byte{7})
	for _, at := range numbers[1:] {
		p := make([]byte, min(4096, numbers[0]-at))
		_, _ = random.Read(p) // never fails
		_, err := f.WriteAt(p, at)
		ts.Check(err)
	}
}

func allocated(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: allocated FILE MAX")
	}
	most, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	var st unix.Stat_t
	ts.Check(unix.Stat(ts.MkAbs(args[0]), &st))
	if got := st.Blocks * 512; got > most {
		ts.Fatalf("%s takes %d bytes, at most %d were expected", args[0], got, most)
	}
}

// groupRecord makes the decision that the snapshots of that name are real, as a mapper leaves it
// that is killed before it removes it.
func groupRecord(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: group-record DIR NAME...")
	}
	g := mapfmt.Group{ID: mapfmt.OpID{1, 2, 3}, State: mapfmt.GroupReal, Members: args[1:]}
	data, err := mapfmt.EncodeGroup(&g)
	ts.Check(err)
	path := filepath.Join(ts.MkAbs(args[0]), mapfmt.GroupName(g.ID))
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, data, 0o644))
}
