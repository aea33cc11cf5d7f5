package nbdd

import (
	"errors"
	"io"
	"net"
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
	uc   *net.UnixConn
	rc   syscall.RawConn
	buf  []byte
	r, w int    // buf[r:w] is read and not yet used
	idle func() // runs before it waits for the client
	owed int    // bytes to skip before anything else

	stopped atomic.Bool // by stop, from any goroutine

	step   func(fd uintptr) bool // made once: a closure per read would be an allocation
	iov    [2]unix.Iovec
	niov   int
	nowait bool
	n      int
	errno  syscall.Errno
}

func newInput(uc *net.UnixConn, rc syscall.RawConn, idle func()) *input {
	in := &input{uc: uc, rc: rc, idle: idle, buf: make([]byte, inputBytes)}
	in.step = func(fd uintptr) bool {
		in.n, in.errno = readv(fd, in.iov[:in.niov])
		return in.errno != unix.EAGAIN || in.nowait
	}
	return in
}

// stop makes the present read, if it waits, and all that come fail with errHandOver. The flag comes
// first: whoever sets another deadline looks at it afterwards. Any goroutine.
func (in *input) stop() error {
	in.stopped.Store(true)
	return in.uc.SetReadDeadline(time.Unix(1, 0))
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

// more reads at least one more byte behind what is buffered.
func (in *input) more() error {
	to := in.buf
	if left := in.w - in.r; len(to) > inputBytes && left < inputBytes {
		to = make([]byte, inputBytes) // unread had made it longer
	}
	in.w = copy(to, in.buf[in.r:in.w])
	in.buf, in.r = to, 0
	n, err := in.read(nil, 0)
	in.w += n
	return err
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
	at := copy(dst, in.buffered())
	in.use(at)
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

// read reads once into dst (may be nil), then into the free end of the buffer.
func (in *input) read(dst []byte, stall time.Duration) (int, error) {
	if in.stopped.Load() {
		return 0, errHandOver
	}
	in.niov = 0
	in.add(dst)
	in.add(in.buf[in.w:])
	in.nowait = true
	err := in.rc.Read(in.step)
	if err == nil && in.errno == unix.EAGAIN {
		in.idle()
		err = in.wait(stall)
	}
	in.iov = [2]unix.Iovec{}
	switch {
	case err != nil && in.stopped.Load():
		return 0, errHandOver // or another error, which the successor will see as well
	case err != nil:
		return 0, err
	case in.errno != 0:
		return 0, os.NewSyscallError("read", in.errno)
	case in.n == 0:
		return 0, io.EOF
	}
	return in.n, nil
}

// wait reads when there is something to read. The deadline is set only here, where the client has
// let us wait already: a timer per read would cost more than the read.
func (in *input) wait(stall time.Duration) error {
	in.nowait = false
	if stall == 0 {
		return in.rc.Read(in.step)
	}
	if err := in.uc.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return err
	}
	if in.stopped.Load() {
		return errHandOver
	}
	err := in.rc.Read(in.step)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStall
	}
	return errors.Join(err, in.uc.SetReadDeadline(time.Time{}))
}

func (in *input) add(b []byte) {
	if len(b) > 0 {
		in.iov[in.niov].Base = &b[0]
		in.iov[in.niov].SetLen(len(b))
		in.niov++
	}
}
