package node

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	daemon "archipelago/peers/peer"
)

// segmentLevel is the log level of package xseg: what an operator wants to know.
const segmentLevel = 2

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
	// What package xseg has to say, of whichever role: it names the port.
	slog.SetDefault(daemon.NewLog(s.sink, segmentLevel, "").With("source", "supervisor"))
	quiet := daemon.WatchDebug(s.log, s.sink)
	// Sent to the process of a role it makes way for a successor; here it must not end the node.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, daemon.ReplaceSignal)
	return func() {
		signal.Stop(ignored)
		quiet()
	}
}
