package nbdd

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inputBytes is how much one read brings at most beside the data of a write: more than two
// thousand requests, or fifteen writes of 4 KiB.
const inputBytes = 64 << 10

// errStall says that the client has sent nothing for a while.
var errStall = errors.New("client stalled")

// errHandOver says that nothing is read any more: a successor will. What was read and not worked off
// is still buffered.
var errHandOver = errors.New("a successor takes the connection over")

// input reads a socket through a buffer, and past it where the destination is known. Used by one
// goroutine.
type input struct {
	sock *socket
	buf  []byte
	r, w int    // buf[r:w] is read and not yet used
	idle func() // runs before it waits for the client
	owed int    // bytes to skip before anything else

	stopped atomic.Bool // by stop, from any goroutine

	iov  [2]unix.Iovec
	niov int
}

func newInput(sock *socket, idle func()) *input {
	return &input{sock: sock, idle: idle, buf: make([]byte, inputBytes)}
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// stop makes the present read, if it waits, and all that come fail with errHandOver. The flag comes
// first: whoever sets another deadline looks at it afterwards. Any goroutine.
func (in *input) stop() {
	in.stopped.Store(true)
	in.sock.readBy.set(longAgo)
}

// unread puts data that was taken back. Precondition: nothing is buffered.
func (in *input) unread(data []byte) {
	in.buf = make([]byte, max(len(data), inputBytes))
	in.r, in.w = 0, copy(in.buf, data)
}

// buffered returns what is there already. Valid until the next read.
func (in *input) buffered() []byte { return in.buf[in.r:in.w] }

// use takes n bytes of what is buffered.
func (in *input) use(n int) { in.r += n }

// take moves what is buffered to dst, as far as it goes.
func (in *input) take(dst []byte) int {
	n := copy(dst, in.buffered())
	in.use(n)
	return n
}

// more reads at least one more byte behind what is buffered.
func (in *input) more() error {
	in.shift()
	n, err := in.read(nil, 0)
	in.w += n
	return err
}

// moreIfAny is more that doesn't wait: unix.EAGAIN.
func (in *input) moreIfAny() error {
	if in.stopped.Load() {
		return errHandOver
	}
	n, _, errno := in.moreNow(nil)
	switch {
	case errno != 0:
		return readError(errno)
	case n == 0:
		return io.EOF
	}
	return nil
}

// moreNow reads once without waiting: into dst (may be nil), then behind what is buffered, where dst
// is nil. It returns how much it read, 0 at the end of the stream, and how much it had room for.
func (in *input) moreNow(dst []byte) (n, room int, errno syscall.Errno) {
	in.shift()
	room = len(dst) + len(in.buf) - in.w
	if n, errno = in.once(dst); errno == 0 {
		in.w += max(0, n-len(dst))
	}
	return n, room, errno
}

// shift makes room behind what is buffered.
func (in *input) shift() {
	to := in.buf
	if left := in.w - in.r; len(to) > inputBytes && left < inputBytes {
		to = make([]byte, inputBytes) // unread had made it longer
	}
	in.w = copy(to, in.buf[in.r:in.w])
	in.buf, in.r = to, 0
}

// need makes at least n bytes buffered and returns them. Precondition: n <= inputBytes.
func (in *input) need(n int) ([]byte, error) {
	for in.w-in.r < n {
		if err := in.more(); err != nil {
			if errors.Is(err, io.EOF) && in.w > in.r {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return in.buf[in.r : in.r+n], nil
}

// fill fills dst: from the buffer, then from the socket straight. With a stall time it ends with
// errStall if the client sends nothing for that long. It returns how far it came.
func (in *input) fill(dst []byte, stall time.Duration) (int, error) {
	at := in.take(dst)
	for at < len(dst) {
		in.r, in.w = 0, 0
		n, err := in.read(dst[at:], stall)
		if err != nil {
			return at, err
		}
		// What lies behind dst in the stream landed in the buffer by the same call.
		if extra := at + n - len(dst); extra > 0 {
			in.w, n = extra, n-extra
		}
		at += n
	}
	return at, nil
}

// skip drops n bytes of the stream, and what was owed before. What it didn't come to is owed.
func (in *input) skip(n int) error {
	in.owed += n
	for in.owed > 0 {
		if in.w == in.r {
			if err := in.more(); err != nil {
				return err
			}
		}
		k := min(in.owed, in.w-in.r)
		in.use(k)
		in.owed -= k
	}
	return nil
}

// read reads once into dst (may be nil), then into the free end of the buffer, waiting if need be.
func (in *input) read(dst []byte, stall time.Duration) (int, error) {
	if in.stopped.Load() {
		return 0, errHandOver
	}
	n, errno := in.once(dst)
	if errno == unix.EAGAIN {
		in.idle()
	}
	for errno == unix.EAGAIN {
		if err := in.wait(stall); err != nil {
			return 0, err
		}
		n, errno = in.once(dst)
	}
	switch {
	case errno != 0:
		return 0, readError(errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// once reads once, if there is something.
func (in *input) once(dst []byte) (int, syscall.Errno) {
	in.niov = 0
	in.add(dst)
	in.add(in.buf[in.w:])
	n, errno := in.sock.readNow(in.iov[:in.niov])
	in.iov = [2]unix.Iovec{}
	return n, errno
}

// wait waits until there may be something to read. The deadline is set only here, where the client
// has let us wait already: a timer per read would cost more than the read.
func (in *input) wait(stall time.Duration) error {
	if stall != 0 {
		in.sock.readBy.set(time.Now().Add(stall))
		defer in.sock.readBy.set(time.Time{})
	}
	err := error(nil)
	if !in.stopped.Load() { // whose deadline this one may have replaced
		err = in.sock.waitRead()
	}
	switch {
	case in.stopped.Load():
		return errHandOver // or another error, which the successor will see as well
	case stall != 0 && errors.Is(err, os.ErrDeadlineExceeded):
		return errStall
	}
	return err
}

func (in *input) add(b []byte) {
	if len(b) > 0 {
		in.iov[in.niov].Base = &b[0]
		in.iov[in.niov].SetLen(len(b))
		in.niov++
	}
}
