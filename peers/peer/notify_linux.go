package peer

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// notifier talks to the service manager by the sd_notify protocol. Without one it does nothing.
type notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration // how long the peer may be silent; 0 = for ever
	parent   int
}

// dialNotify finds the service manager in the environment.
func dialNotify() (*notifier, error) {
	n := &notifier{parent: os.Getppid()}
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return n, nil
	}
	// A leading @ stands for the abstract name space, also in package net.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket %s: %w", path, err)
	}
	n.conn = conn
	n.watchdog = watchdogTime()
	return n, nil
}

// watchdogTime returns how long this process may be silent; 0 if nobody minds.
func watchdogTime() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0 // meant for another process
	}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// send tells the service manager. If that fails, it will find out by our silence.
func (n *notifier) send(state string) {
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(state))
	}
}

// orphaned tells whether the service manager that started us has died.
func (n *notifier) orphaned() bool { return n.conn != nil && os.Getppid() != n.parent }

func (n *notifier) close() {
	if n.conn != nil {
		n.conn.Close()
	}
}
