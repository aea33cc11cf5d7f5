package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Commands and attributes of the controller, which names families.
const (
	controlGetFamily   = 3
	controlFamilyID    = 1
	controlFamilyName  = 2
	controlGroups      = 7
	controlGroupName   = 1
	controlGroupID     = 2
	netlinkBufferBytes = 64 << 10
)

// answerPatience bounds how long the kernel may take to answer: setting up a device includes
// nothing that waits for a server.
const answerPatience = 20 * time.Second

// netlink is a socket to a family of generic netlink. Not safe for use by many goroutines.
type netlink struct {
	file   *os.File
	family uint16
	groups map[string]uint32
	seq    uint32
	buf    []byte
}

// dialNetlink finds a family. unix.ENOENT: the kernel doesn't have it.
func dialNetlink(family string) (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	n := &netlink{file: os.NewFile(uintptr(fd), "netlink"), buf: make([]byte, netlinkBufferBytes), groups: map[string]uint32{}}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("netlink: %w", err), n.close())
	}
	n.family = typeControl
	err = n.ask(controlGetFamily, attrs{}.text(controlFamilyName, family), n.learn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("netlink family %s: %w", family, err), n.close())
	}
	return n, nil
}

func (n *netlink) close() error { return n.file.Close() }

// learn takes what the controller says of the family.
func (n *netlink) learn(m *message) error {
	id := m.attrs[controlFamilyID]
	if len(id) < 2 {
		return errMessage
	}
	n.family = le.Uint16(id)
	return eachAttr(m.attrs[controlGroups], func(_ uint16, group []byte) error {
		g, err := attributes(group)
		if err == nil && len(g[controlGroupID]) >= 4 && len(g[controlGroupName]) > 0 {
			n.groups[unix.ByteSliceToString(g[controlGroupName])] = le.Uint32(g[controlGroupID])
		}
		return err
	})
}

// ask sends a command and waits for its acknowledgement; take (may be nil) gets what is answered
// before.
func (n *netlink) ask(command uint8, a attrs, take func(*message) error) error {
	n.seq++
	if err := n.file.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return err
	}
	if _, err := n.file.Write(request(n.family, command, n.seq, a)); err != nil {
		return err
	}
	for {
		got, err := n.receive()
		if err != nil {
			return err
		}
		for i := range got {
			m := &got[i]
			switch {
			case m.seq != n.seq:
			case m.typ == typeError && m.errno == 0:
				return nil
			case m.typ == typeError:
				return m.errno
			case take != nil:
				if err := take(m); err != nil {
					return err
				}
			}
		}
	}
}

func (n *netlink) receive() ([]message, error) {
	size, err := n.file.Read(n.buf)
	if err != nil {
		return nil, err
	}
	return messages(n.buf[:size])
}

// join makes the socket receive what the kernel tells everybody.
func (n *netlink) join(group string) error {
	id, ok := n.groups[group]
	if !ok {
		return fmt.Errorf("netlink: no group %s", group)
	}
	rc, err := n.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = rc.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(id))
	})
	return errors.Join(err, failed)
}

// listen calls f for every message until ctx ends; nil: messages were lost.
func (n *netlink) listen(ctx context.Context, f func(*message)) error {
	if err := n.file.SetDeadline(time.Time{}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = n.file.SetDeadline(time.Now()) })
	defer stop()
	for {
		got, err := n.receive()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS):
			f(nil)
		case err != nil:
			return fmt.Errorf("netlink: %w", err)
		}
		for i := range got {
			f(&got[i])
		}
	}
}
