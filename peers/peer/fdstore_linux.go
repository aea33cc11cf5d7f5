package peer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoStore: there is no service manager that could keep descriptors.
var ErrNoStore = errors.New("no service manager keeps descriptors")

const (
	// maxFDName is the longest name of stored descriptors, in bytes.
	maxFDName = 255
	// firstPassedFD is the number of the first descriptor that a service manager passes on.
	firstPassedFD = 3
	// perMessage is how many descriptors the kernel takes with one datagram (SCM_MAX_FD).
	perMessage = 253
	// storeWait bounds how long the service manager may take to fetch what was sent to it.
	storeWait = 5 * time.Second
)

// StoreFDs gives the service manager duplicates of descriptors, which it keeps beyond the end of
// this process, however that comes, and passes to the next process of the role (StoredFDs). Several
// descriptors may have one name, at once or by several calls; at least 256 fit per role. Those whose
// other end hangs up the manager drops by itself.
//
// The caller keeps its descriptors, which must stay open during the call (take the numbers by
// SyscallConn: os.File.Fd makes the open file blocking, for the successor, too). It returns when the
// manager has them, within seconds; not to be called on a loop. A stored duplicate keeps a socket
// open: RemoveFDs, or the client never sees its end. ErrNoStore if nobody keeps descriptors.
func StoreFDs(name string, fds ...int) error { return managerOfProcess().storeFDs(name, fds) }

// StoreFDs is the function of that name, for the role.
func (p *Peer) StoreFDs(name string, fds ...int) error { return p.manager.storeFDs(name, fds) }

func (m manager) storeFDs(name string, fds []int) error {
	if err := CheckFDName(name); err != nil {
		return err
	}
	n, err := m.dialStore()
	if err != nil {
		return fmt.Errorf("store descriptors %s: %w", name, err)
	}
	defer n.close()
	for part := range slices.Chunk(fds, perMessage) {
		if err := n.sendFDs("FDSTORE=1\nFDNAME="+name, part); err != nil {
			return fmt.Errorf("store descriptors %s: %w", name, err)
		}
	}
	if err := n.barrier(); err != nil {
		return fmt.Errorf("store descriptors %s: %w", name, err)
	}
	return nil
}

// RemoveFDs makes the service manager drop all descriptors of that name that it keeps for this
// role. It doesn't wait until that has happened. ErrNoStore if nobody keeps descriptors.
func RemoveFDs(name string) error { return managerOfProcess().removeFDs(name) }

// RemoveFDs is the function of that name, for the role.
func (p *Peer) RemoveFDs(name string) error { return p.manager.removeFDs(name) }

func (m manager) removeFDs(name string) error {
	if err := CheckFDName(name); err != nil {
		return err
	}
	n, err := m.dialStore()
	if err != nil {
		return fmt.Errorf("remove descriptors %s: %w", name, err)
	}
	defer n.close()
	if _, err := n.conn.Write([]byte("FDSTOREREMOVE=1\nFDNAME=" + name)); err != nil {
		return fmt.Errorf("remove descriptors %s: %w", name, err)
	}
	return nil
}

// StoredFDs returns the descriptors that the service manager passed to this process, by name:
// listening sockets, and what processes of this role have stored. They are close-on-exec and the
// caller's to close; those that were stored stay stored until RemoveFDs. A second call returns none,
// so one place in a process calls it, before it starts others.
func StoredFDs() map[string][]*os.File {
	names := passedNames(os.Getenv)
	for _, name := range []string{"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"} {
		// Children must not take the numbers for theirs.
		_ = os.Unsetenv(name)
	}
	files := map[string][]*os.File{}
	for i, name := range names {
		fd := firstPassedFD + i
		// Fails only for a descriptor that isn't there: whoever passed it counted wrong.
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err == nil {
			files[name] = append(files[name], os.NewFile(uintptr(fd), name))
		}
	}
	return files
}

// StoredFDs is the function of that name, for the role.
func (p *Peer) StoredFDs() map[string][]*os.File {
	if p.host != nil {
		return p.host.take()
	}
	return StoredFDs()
}

// KeepsFDs says whether there is a service manager that may keep descriptors.
func (p *Peer) KeepsFDs() bool { return p.manager.socket != "" }

// maxPassed bounds what is believed of LISTEN_FDS.
const maxPassed = 4096

// passedNames returns the names of the descriptors that the environment announces, in order. A
// manager that can't know the process id before the start leaves LISTEN_PID out; if it is there it
// must be ours, else the variables were meant for a parent. What has no name is called "unknown",
// as systemd does.
func passedNames(env func(string) string) []string {
	if pid := env("LISTEN_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return nil
	}
	n, err := strconv.Atoi(env("LISTEN_FDS"))
	if err != nil || n <= 0 || n > maxPassed {
		return nil
	}
	names := make([]string, n)
	given := strings.Split(env("LISTEN_FDNAMES"), ":")
	for i := range names {
		names[i] = "unknown"
		if i < len(given) && given[i] != "" {
			names[i] = given[i]
		}
	}
	return names
}

// CheckFDName says whether a name can be that of stored descriptors: 1 to 255 printable bytes of
// ASCII but the colon, which separates names.
func CheckFDName(name string) error {
	bad := func(r rune) bool { return r < ' ' || r > '~' || r == ':' }
	if name == "" || len(name) > maxFDName || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("%q can't name descriptors: it takes 1 to %d printable characters, and no colon",
			name, maxFDName)
	}
	return nil
}

// dialStore is dial for those who can't do without.
func (m manager) dialStore() (*notifier, error) {
	n, err := m.dial()
	if err != nil {
		return nil, err
	}
	if n.conn == nil {
		return nil, ErrNoStore
	}
	return n, nil
}

// sendFDs sends a message with descriptors, waiting for room in the socket. (Package net sends
// descriptors only from sockets that aren't connected.)
func (n *notifier) sendFDs(state string, fds []int) error {
	raw, err := n.conn.SyscallConn()
	if err != nil {
		return err
	}
	if err := n.conn.SetWriteDeadline(time.Now().Add(storeWait)); err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.EINTR // the runtime preempts by a signal
		for errors.Is(sent, unix.EINTR) {
			sent = unix.Sendmsg(int(fd), []byte(state), unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
		}
		return !errors.Is(sent, unix.EAGAIN)
	})
	if err != nil {
		return err // of the deadline
	}
	return os.NewSyscallError("sendmsg", sent)
}

// barrier returns when the service manager has read all that was sent before: it closes the
// descriptor that it gets last, which the other end of a pipe sees.
func (n *notifier) barrier() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	raw, err := w.SyscallConn()
	if err == nil {
		var sent error
		err = raw.Control(func(fd uintptr) { sent = n.sendFDs("BARRIER=1", []int{int(fd)}) })
		err = errors.Join(err, sent)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	if err := r.SetReadDeadline(time.Now().Add(storeWait)); err != nil {
		return err
	}
	// The end of the file is the answer; nobody writes.
	if _, err := r.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the service manager didn't fetch them within %v", storeWait)
	}
	return nil
}
