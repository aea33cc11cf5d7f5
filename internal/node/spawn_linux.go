package node

import (
	"os"
	"os/exec"
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

// socketName is the name under which a listening socket is passed on.
const socketName = "nbd"

// outputDelay: after a process has died its output is read for at most this long (something that
// it started could hold the pipe open).
const outputDelay = time.Second

// child is a process of a role's own.
type child struct{ cmd *exec.Cmd }

// spawn starts the program of a role.
func (s *supervisor) spawn(r *peer, p *process) error {
	argv, err := s.opts.Command(s.cfg, r.role)
	if err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = p.out, p.out // equal writers share one pipe, so lines keep their order
	cmd.WaitDelay = outputDelay
	cmd.Env = peerEnv(p.notify.path, s.opts.Watchdog)
	// A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which stops the
	// peers in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	err = r.store.use(func(stored []storedFD) error {
		pass(cmd, s.sockets[r.role.Name], stored)
		p.started = time.Now()
		return s.forker.start(cmd)
	})
	cmd.ExtraFiles = nil // some are the store's, which may close them now
	if err != nil {
		return err
	}
	c := &child{cmd}
	p.body = c
	go func() {
		// The state that Wait leaves in cmd says all; its error only repeats it.
		_ = cmd.Wait()
		p.end(c.ending())
	}()
	return nil
}

// pass gives a process descriptors in the way of socket activation: the listening socket first,
// then what its predecessors stored. LISTEN_PID is left out: the process id isn't known before the
// start, and these variables are for the child alone.
func pass(cmd *exec.Cmd, socket *os.File, stored []storedFD) {
	var names []string
	if socket != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, socket)
		names = append(names, socketName)
	}
	for _, f := range stored {
		cmd.ExtraFiles = append(cmd.ExtraFiles, f.file)
		names = append(names, f.name)
	}
	if len(names) > 0 {
		cmd.Env = append(cmd.Env, "LISTEN_FDS="+strconv.Itoa(len(names)),
			"LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// signal fails only if the process has ended already.
func (c *child) signal(sig syscall.Signal) { _ = c.cmd.Process.Signal(sig) }

func (c *child) ending() ending {
	state := c.cmd.ProcessState
	e := ending{state: state, clean: state.Success()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.signal = status.Signal()
	}
	return e
}

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
