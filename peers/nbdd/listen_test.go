package nbdd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenAt(t *testing.T) {
	dir, err := os.MkdirTemp("", "archip-nbdd-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	first, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if _, err := listenAt(path); err == nil || !strings.Contains(err.Error(), "somebody listens") {
		t.Errorf("a second listener: %v", err)
	}
	// As after a kill: the file stays, nobody listens.
	first.SetUnlinkOnClose(false)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := listenAt(path)
	if err != nil {
		t.Fatalf("a socket that was left behind is in the way: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenAt(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in the way: %v", err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 107))
	if _, err := listenAt(long); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("a long path: %v", err)
	}
}

// TestOwnSocketIsKept: a successor listens at the socket that its predecessor made, unless that
// isn't what clients find any more.
func TestOwnSocketIsKept(t *testing.T) {
	dir, err := os.MkdirTemp("", "archip-nbdd-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	store := newStore(t)
	first, err := listen(path, nil, store.keep)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("unix", path) // while nobody serves
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	second, err := listen(path, store.passed(), store.keep)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := second.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	_ = second.Close()
	other, err := listen(path+"2", store.passed(), store.keep)
	if err != nil || other.Addr().String() != path+"2" {
		t.Fatalf("with another path in the configuration: %v, %v", other, err)
	}
	_ = other.Close()
}

// TestPassedSocket takes over a listening socket as it comes from a supervisor.
func TestPassedSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "archip-nbdd-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	outer, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	f, err := outer.File()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := listen("", map[string][]*os.File{"some.socket": {f}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "s")); err != nil {
		t.Errorf("the socket of the supervisor went with the peer: %v", err)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adopt([]*os.File{file}); err == nil {
		t.Error("a file was taken for a socket")
	}
	if _, err := adopt(nil); err == nil {
		t.Error("nothing was taken for a socket")
	}
}
