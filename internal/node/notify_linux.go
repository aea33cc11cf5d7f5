package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// notifyPrefix begins the names of notify sockets in the runtime directory.
const notifyPrefix = "notify."

// Sizes of what is read of one message: a few lines, and the descriptors that the kernel takes with
// one datagram.
const (
	notifyBytes  = 4096
	notifyRights = 253 * 4
)

// notify is the socket by which one process says that it is ready, alive and stopping, and hands
// descriptors over (sd_notify).
type notify struct {
	path     string
	conn     *net.UnixConn
	store    *fdStore
	log      *slog.Logger
	ready    chan struct{} // closed at READY=1
	stopping chan struct{} // closed at STOPPING=1
	beat     chan struct{} // holds one WATCHDOG=1 that wasn't looked at yet
	ended    chan struct{}

	// Of the goroutine that reads; of close after its end.
	isReady, isStopping bool
	buf, oob            []byte
}

// newNotify listens at path. A leftover of a killed predecessor goes first: the directory is ours,
// because we hold the lock of the node.
func newNotify(path string, store *fdStore, log *slog.Logger) (*notify, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("leftover notify socket: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket %s: %w", path, err)
	}
	n := &notify{path: path, conn: conn, store: store, log: log,
		ready: make(chan struct{}), stopping: make(chan struct{}), beat: make(chan struct{}, 1),
		ended: make(chan struct{}),
		buf:   make([]byte, notifyBytes), oob: make([]byte, unix.CmsgSpace(notifyRights))}
	go n.read()
	return n, nil
}

func (n *notify) read() {
	defer close(n.ended)
	for {
		size, oobSize, _, _, err := n.conn.ReadMsgUnix(n.buf, n.oob)
		if err != nil {
			return // told to end
		}
		n.take(size, oobSize)
	}
}

// take handles the message that lies in the buffers.
func (n *notify) take(size, oobSize int) {
	fds := rights(n.oob[:oobSize])
	m := parseNotify(string(n.buf[:size]))
	if m.ready && !n.isReady {
		n.isReady = true
		close(n.ready)
	}
	if m.stopping && !n.isStopping {
		n.isStopping = true
		close(n.stopping)
	}
	if m.watchdog {
		select {
		case n.beat <- struct{}{}:
		default:
		}
	}
	n.keep(m, fds)
}

// keep does what a message says about descriptors. Those that nobody wants are closed: that is also
// the answer to BARRIER=1.
func (n *notify) keep(m notifyMessage, fds []int) {
	switch {
	case m.badName:
		n.log.Warn("descriptors with an invalid name are not kept", "count", len(fds))
	case m.remove:
		n.store.remove(m.name)
	case m.store:
		if _, refused := n.store.put(m.name, fds); refused > 0 {
			n.log.Warn("descriptors are not kept: too many", "name", m.name, "count", refused, "limit", maxStored)
		}
		return
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// rights returns the descriptors that came with a message.
func rights(oob []byte) []int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var fds []int
	for i := range messages {
		if more, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, more...)
		}
	}
	return fds
}

// close ends the socket; afterwards no channel of it changes any more. It first takes what the
// process, which has ended, said last: it may have handed descriptors over.
func (n *notify) close() {
	_ = n.conn.SetReadDeadline(time.Unix(1, 0)) // fails on a closed socket only
	<-n.ended
	n.drain()
	n.conn.Close()
	// ListenUnixgram leaves the file to us.
	os.Remove(n.path)
}

// drain takes the messages that wait. The deadline of the socket is past, so not by package net.
func (n *notify) drain() {
	raw, err := n.conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for {
			size, oobSize, _, _, err := unix.Recvmsg(int(fd), n.buf, n.oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil:
				return // EAGAIN: that was all
			default:
				n.take(size, oobSize)
			}
		}
	})
}
