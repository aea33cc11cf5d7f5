package filed

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpensFilesOfOthers: a file that belongs to somebody else can be used, too, if its mode lets us.
func TestOpensFilesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to act as somebody else")
	}
	s := open(t, nil)
	put(t, s, "x", "1")
	if err := unix.Fchmodat(s.disk.root, "x", 0o666, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends as somebody else
		const nobody = 65534
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			done <- err
			return
		}
		if _, err := s.disk.open("x", unix.O_RDWR|unix.O_NOATIME); err != unix.EPERM {
			t.Errorf("O_NOATIME: %v: the test shows nothing", err)
		}
		fd, err := s.openFile("x", 0)
		if err == nil {
			err = unix.Close(fd)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
