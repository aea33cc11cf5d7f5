package filed

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
	"archipelago/peers/blocker/remote"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

func nodeConfig(t *testing.T, node *xsegtest.Node) *config.Config {
	return &config.Config{
		SegmentName: node.Name, NodeName: "node1",
		Roles: []config.Role{{
			Name: "blockerb", Type: config.TypeFile, PortStart: 1000, PortEnd: 1000,
			ArchipDir: t.TempDir(), LockDir: t.TempDir(),
		}},
	}
}

// run starts the role; stop ends it and waits.
func run(t *testing.T, cfg *config.Config) (stop func()) {
	t.Setenv("NOTIFY_SOCKET", "")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, "blockerb") }()
	return func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(xsegtest.Patience):
			t.Error("it doesn't stop")
		}
	}
}

func client(t *testing.T, node *xsegtest.Node) (blocker.Store, *xsegtest.Peer) {
	p := node.Peer(t)
	port := p.Bind(500, xseg.BindOptions{Role: "vlmcd"})
	p.Run()
	ch := p.Connect(port, 1000, xseg.ChannelOptions{Slots: 64, BufferBytes: 32 << 20, Wait: true})
	return remote.New(ch), p
}

func TestConformanceRemote(t *testing.T) {
	blockertest.Run(t, func(t *testing.T) blocker.Store {
		node := xsegtest.New(t)
		stop := run(t, nodeConfig(t, node))
		t.Cleanup(stop)
		s, _ := client(t, node)
		return s
	})
}

// TestRestart: a client sees a pause when the blocker is restarted, and what it has written.
func TestRestart(t *testing.T) {
	node := xsegtest.New(t)
	cfg := nodeConfig(t, node)
	stop := run(t, cfg)
	s, _ := client(t, node)
	data := bytes.Repeat([]byte{7}, 9000)
	for range 3 {
		do(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: data})
		stop()
		read := &blocker.Op{Kind: blocker.Read, Name: "x", Data: make([]byte, 9000)}
		done := start(s, read)
		stop = run(t, cfg)
		if err := <-done; err != nil || !bytes.Equal(read.Data, data) {
			t.Errorf("after a restart: %v", err)
		}
	}
	stop()
}

func TestRunErrors(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	node := xsegtest.New(t)
	cfg := nodeConfig(t, node)
	missing := filepath.Join(t.TempDir(), "missing")
	cfg.Roles[0].ArchipDir = missing
	err := Run(context.Background(), cfg, "blockerb")
	if !errors.Is(err, ErrDirectory) || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "blockerb") {
		t.Errorf("missing directory: %v", err)
	}
	cfg.SegmentName = "no-such-segment"
	if err := Run(context.Background(), cfg, "blockerb"); !errors.Is(err, xseg.ErrNoSegment) {
		t.Errorf("no segment: %v", err)
	}
}

// TestRunDirect: the role's settings reach the store.
func TestRunDirect(t *testing.T) {
	node := xsegtest.New(t)
	cfg := nodeConfig(t, node)
	cfg.Roles[0].Direct, cfg.Roles[0].Cache = true, "writethrough"
	if err := (&disk{dir: cfg.Roles[0].ArchipDir, root: rootOf(t, cfg.Roles[0].ArchipDir)}).checkDirect(); err != nil {
		t.Skip(err)
	}
	defer run(t, cfg)()
	s, _ := client(t, node)
	data := bytes.Repeat([]byte{7}, 9001)
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Offset: 3, Data: data})
	got := do(t, s, &blocker.Op{Kind: blocker.Read, Name: "x", Data: make([]byte, 9004)})
	if !bytes.Equal(got.Data[3:], data) {
		t.Error("not what was written")
	}
	if n := do(t, s, &blocker.Op{Kind: blocker.Stat, Name: "x"}).N; n != 9004 {
		t.Errorf("size is %d", n)
	}
}

func rootOf(t *testing.T, dir string) int {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
