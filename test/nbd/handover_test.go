package nbd

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"archipelago/internal/nbd/client"
	"archipelago/internal/node"
	"archipelago/test/load"
	"archipelago/test/testnode"
)

// restart restarts nbdd in order, as `archipelago restart nbdd` does.
func restart(t *testing.T, n *testnode.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnode.Patience)
	defer cancel()
	c, err := node.DialControl(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Restart(ctx, "nbdd"), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestRestartUnderOurLoad: a client that never connects again sees a pause at each restart, and
// every acknowledged write.
func TestRestartUnderOurLoad(t *testing.T) {
	n := testnode.Start(t)
	rng := seeded(t)
	n.Vlmc("create", "vol", "--size", "16M")
	ctx, cancel := context.WithTimeout(t.Context(), 2*testnode.Patience)
	defer cancel()
	c, err := client.Dial(ctx, "unix", socket(t, n), "vol", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := load.NewChecker(int(c.Size()/load.BlockSize), rng.Uint64())
	stop, done, seed := make(chan struct{}), make(chan error, 1), rng.Uint64()
	go func() { done <- check.RunUntil(ctx, stop, c, 8, seed) }()
	for range 10 {
		restart(t, n)
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond) // restarts at varied moments
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := check.CheckAll(ctx, c); err != nil {
		t.Error(err)
	}
}

// TestRestartUnderForeignClients: fio with verification, qemu-img and nbdcopy go on through
// restarts of the server as if there were none.
func TestRestartUnderForeignClients(t *testing.T) {
	need(t, "fio", "qemu-img", "nbdcopy")
	n := testnode.Start(t)
	rng := seeded(t)
	src := image(t, rng)
	for _, name := range []string{"a", "b", "c"} {
		n.Vlmc("create", name, "--size", sizeText)
	}
	fio := background(t, "fio", "--name=verify", "--ioengine=nbd", "--uri="+uri(t, n, "a"), "--rw=randwrite", "--bsrange=4k-300k",
		"--blockalign=512", "--serialize_overlap=1", "--iodepth=32", "--size="+sizeText, "--loops=3", "--verify=crc32c", "--verify_fatal=1",
		"--verify_state_save=0", "--fsync=100", "--randseed="+strconv.FormatUint(rng.Uint64()>>1, 10))
	bench := background(t, "qemu-img", "bench", "-f", "raw", "-w", "-c", "6000", "-d", "16", "-s", "64k", uri(t, n, "b"))
	cp := background(t, "nbdcopy", "--requests=8", "--connections=4", src, uri(t, n, "c"))
	restarts := 0
	for fio.running() || bench.running() || cp.running() {
		restart(t, n)
		restarts++
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond) // restarts at varied moments
	}
	if restarts < 3 {
		t.Errorf("only %d restarts under load", restarts)
	}
	t.Logf("%d restarts", restarts)
	for _, p := range []*process{fio, bench, cp} {
		p.check()
	}
	identical(t, src, uri(t, n, "c"))
}

// process is a foreign client that runs beside the test.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{}
	err  error
}

func background(t *testing.T, name string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*testnode.Patience)
	p := &process{t: t, cmd: exec.CommandContext(ctx, name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		cancel()
		close(p.done)
	}()
	return p
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) check() {
	<-p.done
	if p.err != nil {
		p.t.Errorf("%s: %v\n%s", p.cmd.Path, p.err, p.out.String())
	}
}
