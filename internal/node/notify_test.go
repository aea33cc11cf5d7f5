package node

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func newStore(t *testing.T) *fdStore {
	t.Helper()
	s, err := newFDStore()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// pipeFDs returns both ends of a pipe, for a store to take.
func pipeFDs(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return p[0], p[1]
}

func names(s *fdStore) (names []string) {
	_ = s.use(func(stored []storedFD) error {
		for _, f := range stored {
			names = append(names, f.name)
		}
		return nil
	})
	return names
}

// TestLastWords: what a process sent just before its end counts, also descriptors.
func TestLastWords(t *testing.T) {
	store := newStore(t)
	path := filepath.Join(t.TempDir(), "n")
	var log lockedBuffer
	n, err := newNotify(path, store, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path + "2", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(text string, fds ...int) {
		if _, _, err := conn.WriteMsgUnix([]byte(text), unix.UnixRights(fds...), &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
			t.Fatal(err)
		}
	}
	// The reader is ended first, so that all of it is left to close.
	n.conn.SetReadDeadline(unixEpoch)
	<-n.ended
	r, w := pipeFDs(t)
	defer unix.Close(r)
	send("FDSTORE=1\nFDNAME=a", w)
	send("FDSTORE=1", r)
	send("FDSTORE=1\nFDNAME=b:c", r)
	send("READY=1\nSTOPPING=1\n")
	n.close()
	<-n.ready
	<-n.stopping
	if got := fmt.Sprint(names(store)); got != "[a stored]" {
		t.Errorf("stored: %s\n%s", got, log.String())
	}
	unix.Close(w)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestStoreLimits: as many as promised, no open file twice, by name away.
func TestStoreLimits(t *testing.T) {
	s := newStore(t)
	for i := range maxStored/2 + 1 {
		r, w := pipeFDs(t)
		_, refused := s.put("p", []int{r, w})
		if want := i / (maxStored / 2) * 2; refused != want {
			t.Fatalf("pair %d: %d refused", i, refused)
		}
	}
	if n := len(names(s)); n != maxStored {
		t.Errorf("%d stored", n)
	}
	s.remove("q")
	s.remove("p")
	if n := len(names(s)); n != 0 {
		t.Errorf("%d left", n)
	}
	r, w := pipeFDs(t)
	again, err := unix.Dup(w)
	if err != nil {
		t.Fatal(err)
	}
	if kept, refused := s.put("p", []int{r, w, again}); kept != 2 || refused != 0 {
		t.Errorf("%d kept, %d refused; the third was a duplicate", kept, refused)
	}
}

// TestStoreDropsHungUp: the end of the other side takes a descriptor out of the store.
func TestStoreDropsHungUp(t *testing.T) {
	s := newStore(t)
	r, w := pipeFDs(t)
	other, w2 := pipeFDs(t)
	defer unix.Close(w2)
	dir, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.put("gone", []int{r})
	s.put("stays", []int{other})
	s.put("directory", []int{dir})
	unix.Close(w)
	eventually(t, "the descriptor to go", func() bool { return fmt.Sprint(names(s)) == "[stays directory]" })
}

func FuzzNotify(f *testing.F) {
	f.Add("READY=1\nFDNAME=x\n")
	f.Add("FDSTORE=1\nFDNAME=a:b")
	f.Fuzz(func(t *testing.T, text string) {
		m := parseNotify(text)
		if !m.badName && len(m.name) > 255 {
			t.Errorf("name of %d bytes", len(m.name))
		}
	})
}

func FuzzControlRequest(f *testing.F) {
	f.Add([]byte(`{"do":"restart","role":"x"}`))
	f.Add([]byte(`{"do":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := parseRequest(line); err == nil && r.Do != doRoles && r.Do != doRestart {
			t.Errorf("%q is nothing to do", r.Do)
		}
	})
}

func FuzzControlReply(f *testing.F) {
	f.Add([]byte(`{"done":true,"error":{"kind":"restart","text":"x","log":["a"]}}`))
	f.Add([]byte(`{"step":null,"roles":[{}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := parseReply(line); err == nil && r.Error != nil && r.Error.fromWire() == nil {
			t.Error("an error got lost")
		}
	})
}
