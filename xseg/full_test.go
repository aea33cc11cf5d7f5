package xseg_test

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

const insideFull = "XSEGTEST_INSIDE_FULL"

// TestFullMemory: a full /dev/shm is an error or a wait, never a crash. It runs itself again in a
// mount namespace with a small /dev/shm.
func TestFullMemory(t *testing.T) {
	if os.Getenv(insideFull) != "" {
		fullMemory(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small /dev/shm of its own")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullMemory$", "-test.v")
	cmd.Env = append(os.Environ(), insideFull+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mount namespaces are not allowed here")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func fullMemory(t *testing.T) {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		t.Skip("no mounts here: ", err)
	}
	if err := syscall.Mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("no mounts here: ", err)
	}
	tables := xseg.Spec{Name: "xsegtest-big", Ports: 65536, SizeMiB: 256, PageShift: 12}
	err := xseg.Create(tables, xseg.CreateOptions{RuntimeDir: t.TempDir(), Group: -1})
	if !errors.Is(err, xseg.ErrNoMemory) {
		t.Fatalf("tables beyond the memory: %v", err)
	}

	n := xsegtest.NewSized(t, 64, 256)
	n.Child(t, "echo", []string{"10"}).Ready()
	p := n.Peer(t)
	port := p.Bind(20, xseg.BindOptions{})
	c := p.Connect(port, 10, xseg.ChannelOptions{Slots: 64, BufferBytes: 64 << 20})
	p.Run()
	var calls []*xseg.Call
	for {
		k := c.Get(1 << 20)
		if k == nil {
			break
		}
		xsegtest.Pattern(k.Data(), 1) // touches all of it
		calls = append(calls, k)
	}
	if len(calls) < 4 || len(calls) > 7 {
		t.Fatalf("%d MiB of buffers in 8 MiB of memory", len(calls))
	}
	if _, err := port.Connect(t.Context(), 10, xseg.ChannelOptions{Slots: 1024}); err == nil {
		// It fits or not, depending on how the last step went; if not, the error is clear.
		t.Log("a channel of 1024 slots still fits")
	} else if !errors.Is(err, xseg.ErrNoMemory) {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		k, err := c.GetWait(t.Context(), 1<<20)
		if err == nil {
			k.Put()
		}
		got <- err
	}()
	calls[0].Put()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	for _, k := range calls[1:] {
		k.Put()
	}
	if k := c.Get(1 << 20); k == nil {
		t.Fatal("memory that the channel has was lost")
	}
	noMemoryAtAll(t, p, port)
}

// noMemoryAtAll: with nothing of its own to wait for, a caller hears that there is no memory.
func noMemoryAtAll(t *testing.T, p *xsegtest.Peer, port *xseg.Port) {
	c := p.Connect(port, 10, xseg.ChannelOptions{Slots: 1, BufferBytes: 4 << 20})
	hog, err := os.Create("/dev/shm/hog")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(hog.Name())
	for err == nil {
		_, err = hog.Write(make([]byte, xseg.PageSize))
	}
	if _, err := c.GetWait(t.Context(), 4<<20); !errors.Is(err, xseg.ErrNoMemory) {
		t.Fatal(err)
	}
	if k, err := c.GetWait(t.Context(), 0); err != nil || k == nil {
		t.Fatal(err)
	}
}
