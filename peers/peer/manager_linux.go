package peer

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// manager is how a role reaches its service manager: systemd, or `archipelago run`.
type manager struct {
	socket   string        // by which it is told (sd_notify); "" = there is no manager
	watchdog time.Duration // how long the role may be silent; 0 = for ever
	parent   int           // the process whose death ends the role; 0 = none
}

// managerOfProcess is what the environment says to a process that serves one role.
func managerOfProcess() manager {
	return manager{socket: os.Getenv("NOTIFY_SOCKET"), watchdog: watchdogTime(), parent: os.Getppid()}
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

// notifier talks to the service manager by the sd_notify protocol. Without one it does nothing.
type notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration // how long the peer may be silent; 0 = for ever
	parent   int
}

// dial connects to the manager's socket, if there is one.
func (m manager) dial() (*notifier, error) {
	if m.socket == "" {
		return &notifier{}, nil
	}
	// A leading @ stands for the abstract name space, also in package net.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket %s: %w", m.socket, err)
	}
	return &notifier{conn: conn, watchdog: m.watchdog, parent: m.parent}, nil
}

// send tells the service manager. If that fails, it will find out by our silence.
func (n *notifier) send(state string) {
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(state))
	}
}

// orphaned tells whether the service manager that started us has died.
func (n *notifier) orphaned() bool { return n.parent != 0 && os.Getppid() != n.parent }

func (n *notifier) close() {
	if n.conn != nil {
		n.conn.Close()
	}
}
