package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// notifyPrefix begins the names of notify sockets in the runtime directory.
const notifyPrefix = "notify."

// notify is the socket by which one process says that it is ready and alive (sd_notify).
type notify struct {
	path  string
	conn  *net.UnixConn
	ready chan struct{} // closed at READY=1
	beat  chan struct{} // holds one WATCHDOG=1 that wasn't looked at yet
	ended chan struct{}
}

// newNotify listens at path. A leftover of a killed predecessor goes first: the directory is ours,
// because we hold the lock of the node.
func newNotify(path string) (*notify, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("leftover notify socket: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket %s: %w", path, err)
	}
	n := &notify{path: path, conn: conn, ready: make(chan struct{}), beat: make(chan struct{}, 1),
		ended: make(chan struct{})}
	go n.read()
	return n, nil
}

func (n *notify) read() {
	defer close(n.ended)
	buf := make([]byte, 4096)
	for isReady := false; ; {
		size, err := n.conn.Read(buf)
		if err != nil {
			return // closed
		}
		for line := range strings.SplitSeq(string(buf[:size]), "\n") {
			switch strings.TrimSpace(line) {
			case "READY=1":
				if !isReady {
					isReady = true
					close(n.ready)
				}
			case "WATCHDOG=1":
				select {
				case n.beat <- struct{}{}:
				default:
				}
			}
		}
	}
}

// close ends the socket; afterwards no channel of it changes any more.
func (n *notify) close() {
	n.conn.Close()
	<-n.ended
	// ListenUnixgram leaves the file to us.
	os.Remove(n.path)
}
