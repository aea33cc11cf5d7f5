package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"archipelago/internal/config"
)

// forker starts all children from one thread that lives as long as the supervisor: the parent
// death signal fires when the *thread* that forked ends, and Go ends threads as it likes.
type forker struct{ work chan func() }

func newForker() *forker {
	f := &forker{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for run := range f.work {
			run()
		}
	}()
	return f
}

func (f *forker) start(cmd *exec.Cmd) error {
	done := make(chan error)
	f.work <- func() { done <- cmd.Start() }
	return <-done
}

// close ends the thread, and with it every child that is left.
func (f *forker) close() { close(f.work) }

// process is one run of a role's program.
type process struct {
	cmd     *exec.Cmd
	notify  *notify
	started time.Time
	exited  chan struct{} // closed when it was reaped and its output is in the log
}

// outputDelay: after a process has died its output is read for at most this long (something that
// it started could hold the pipe open).
const outputDelay = time.Second

// spawn starts the program of a role.
func (s *supervisor) spawn(r *config.Role) (*process, error) {
	argv, err := s.opts.Command(s.cfg, r)
	if err != nil {
		return nil, err
	}
	n, err := newNotify(filepath.Join(s.cfg.RuntimeDir, notifyPrefix+strconv.FormatInt(s.spawns.Add(1), 10)))
	if err != nil {
		return nil, err
	}
	out := &prefixer{sink: s.sink, prefix: "role=" + r.Name + " "}
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), notify: n, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out // equal writers share one pipe, so lines keep their order
	p.cmd.WaitDelay = outputDelay
	p.cmd.Env = peerEnv(n.path, s.opts.Watchdog)
	if l := s.sockets[r.Name]; l != nil {
		p.cmd.ExtraFiles = []*os.File{l}
		p.cmd.Env = append(p.cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=nbd")
	}
	// A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which stops the
	// peers in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p.started = time.Now()
	if err := s.forker.start(p.cmd); err != nil {
		n.close()
		return nil, err
	}
	go p.wait(out)
	return p, nil
}

func (p *process) wait(out *prefixer) {
	// The state that Wait leaves in cmd says all; its error only repeats it.
	_ = p.cmd.Wait()
	out.flush()
	p.notify.close()
	close(p.exited)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal fails only if the process has ended already.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// peerEnv is the supervisor's own environment, less what its own supervisor may have put there.
func peerEnv(socket string, watchdog time.Duration) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
			"LISTEN_FDNAMES", config.EnvDir, config.EnvFile:
		default:
			env = append(env, e)
		}
	}
	env = append(env, "NOTIFY_SOCKET="+socket)
	if watchdog > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(watchdog.Microseconds(), 10))
	}
	return env
}
