// Package pty gives tests a terminal: what a command shows there, and what a key does to it.
package pty

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo terminal. What is written to Slave is on the Screen.
type Terminal struct {
	Slave *os.File // for the standard streams of a process

	master *os.File
	mu     sync.Mutex
	seen   strings.Builder
	more   chan struct{} // something came
}

// Open makes a terminal, which goes with the test.
func Open(t testing.TB) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	term := &Terminal{Slave: slave, master: master, more: make(chan struct{}, 1)}
	go term.read()
	return term
}

// read keeps what comes, until the terminal goes.
func (t *Terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := t.master.Read(buf)
		if err != nil {
			return
		}
		t.mu.Lock()
		t.seen.Write(buf[:n])
		t.mu.Unlock()
		select {
		case t.more <- struct{}{}:
		default:
		}
	}
}

// Screen returns all that was written so far, with its control sequences.
func (t *Terminal) Screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen.String()
}

// Type presses keys.
func (t *Terminal) Type(tb testing.TB, keys string) {
	tb.Helper()
	if _, err := t.master.WriteString(keys); err != nil {
		tb.Fatal(err)
	}
}

// Await waits until the screen has text.
func (t *Terminal) Await(tb testing.TB, text string, patience time.Duration) {
	tb.Helper()
	end := time.After(patience)
	for !strings.Contains(t.Screen(), text) {
		select {
		case <-t.more:
		case <-end:
			tb.Fatalf("the terminal hasn't shown %q after %v, but %q", text, patience, t.Screen())
		}
	}
}
