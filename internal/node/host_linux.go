package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	daemon "archipelago/peers/peer"
)

// hosted is a role that runs in this process.
type hosted struct {
	p      *peer
	cancel context.CancelCauseFunc
	given  sync.Once
	gone   chan struct{} // closed: it isn't waited for any more
}

// endLimit is how long a role may hold on to its ports once it has returned.
const endLimit = 5 * time.Second

// segmentLevel is the log level of package xseg: what an operator wants to know.
const segmentLevel = 2

// errLeft is how a role has ended that was not waited for.
var errLeft = errors.New("it did not end in time")

// host starts a role in this process.
func (s *supervisor) host(r *peer, p *process) error {
	serve := s.opts.Host[r.role.Type]
	if serve == nil {
		return fmt.Errorf("this program can't serve roles of type %s", r.role.Type)
	}
	if s.forced() {
		return ErrForced // what was left behind has the ports
	}
	// Read anew, as a process of the role would.
	cfg, err := s.cfg.Source().Load()
	if err != nil {
		return err
	}
	h := &daemon.Host{Socket: p.notify.path, Watchdog: max(s.opts.Watchdog, 0), Log: p.out}
	err = r.store.use(func(stored []storedFD) (err error) {
		h.Passed, err = passHere(s.sockets[r.role.Name], stored)
		return err
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(daemon.WithHost(context.Background(), h))
	b := &hosted{p: r, cancel: cancel, gone: make(chan struct{})}
	p.body, p.started = b, time.Now()
	ran := make(chan error, 1)
	go func() { ran <- b.serve(ctx, h, func() error { return serve(ctx, cfg, r.role.Name) }) }()
	go b.wait(p, ran)
	return nil
}

// serve runs the role, and ends what it leaves behind. If that is impossible no successor can come.
func (b *hosted) serve(ctx context.Context, h *daemon.Host, run func() error) error {
	defer b.cancel(nil)
	err := run()
	if left := h.End(endLimit); left != nil {
		b.giveUp(left.Error())
		err = errors.Join(err, left)
	}
	if err == nil && ctx.Err() == nil {
		err = errors.New("it ended without being told to")
	}
	return err
}

// wait notes how the role ends.
func (b *hosted) wait(p *process, ran <-chan error) {
	var err error
	select {
	case err = <-ran:
	case <-b.gone:
		err = errLeft
	}
	p.end(ending{clean: err == nil, err: err})
}

// threads counts those that roles have for their own: more only where the configuration says so.
func threads(cfg *config.Config) (n int) {
	for i := range cfg.Roles {
		if r := &cfg.Roles[i]; r.Type == config.TypeVlmcd {
			n += max(1, r.NrThreads)
		} else {
			n++
		}
	}
	return n
}

func (b *hosted) pid() int { return os.Getpid() }

func (b *hosted) signal(sig syscall.Signal) {
	switch sig {
	case syscall.SIGKILL:
		b.giveUp("it would be killed")
		b.given.Do(func() { close(b.gone) })
	case daemon.ReplaceSignal:
		b.cancel(daemon.ErrReplaced)
	default:
		b.cancel(nil)
	}
}

// giveUp deals with a role that can't be ended: a part of a process can't be killed. If the node is
// stopping the role is left behind, for this process is about to end; else it ends now. What was
// acknowledged is in the page cache and the pending logs, and the next run clears away the rest.
func (b *hosted) giveUp(why string) {
	s := b.p.s
	if b.p.stopping() || s.forced() {
		return
	}
	s.log.Error("node ends at once: a role that shares its process can't be ended alone",
		"role", b.p.role.Name, "why", why)
	daemon.WriteStacks(s.sink)
	s.sink.close()
	s.opts.exit(exitFailed)
}

func (s *supervisor) forced() bool {
	select {
	case <-s.opts.Force:
		return true
	default:
		return false
	}
}

// passHere makes duplicates of what a process would inherit.
func passHere(socket *os.File, stored []storedFD) (map[string][]*os.File, error) {
	files := map[string][]*os.File{}
	add := func(name string, fd int) error {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		files[name] = append(files[name], os.NewFile(uintptr(dup), name))
		return nil
	}
	var err error
	if socket != nil {
		err = add(socketName, int(socket.Fd()))
	}
	for _, f := range stored {
		err = errors.Join(err, add(f.name, f.fd))
	}
	if err == nil {
		return files, nil
	}
	for _, list := range files {
		for _, f := range list {
			f.Close()
		}
	}
	return nil, err
}

// shareProcess prepares this process for serving roles, until the function that it returns is called.
func (s *supervisor) shareProcess() (undo func()) {
	// The threads of the roles spin for work, as if each had a processor; the kernel sorts that out
	// for processes of their own, where each has as many as there are. Fewer would make goroutines
	// wait for a spinner that has nothing to do.
	processors := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(processors + threads(s.cfg))
	// What package xseg has to say, of whichever role: it names the port.
	slog.SetDefault(daemon.NewLog(s.sink, segmentLevel, "").With("source", "supervisor"))
	quiet := daemon.WatchDebug(s.log, s.sink)
	// Sent to the process of a role it makes way for a successor; here it must not end the node.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, daemon.ReplaceSignal)
	return func() {
		signal.Stop(ignored)
		quiet()
		runtime.GOMAXPROCS(processors)
	}
}
