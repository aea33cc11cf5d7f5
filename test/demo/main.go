// Command demo shows the main job on a temporary node and proves it: a real file-system image is
// imported and snapshotted, a hundred clones are made, some are written through the NBD socket,
// and the snapshot and the other clones are shown to be unharmed. It needs neither root nor
// anything but the project's binaries, and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	clones  = 100
	written = 5 // of the clones
)

func main() {
	bin := flag.String("bin", "bin", "directory of the binaries")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run does everything in a temporary directory of its own.
func run(ctx context.Context, bin string) (err error) {
	started := time.Now()
	dir, err := os.MkdirTemp("", "archip-test-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bin, err = filepath.Abs(bin)
	if err != nil {
		return err
	}
	d := &demo{bin: bin, dir: filepath.Join(dir, "node"), image: filepath.Join(dir, "image.raw")}
	err = d.all(ctx)
	err = errors.Join(err, d.stopNode())
	if err == nil {
		err = d.nothingLeft()
	}
	if err == nil {
		fmt.Printf("\nDone in %.1f s; nothing is left behind.\n", time.Since(started).Seconds())
	}
	return err
}

func (d *demo) all(ctx context.Context) error {
	for _, s := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"Make a file-system image", d.makeImage},
		{"Start a node: archipelago run -d DIR", d.startNode},
		{"Import the image: vlmc import", d.importImage},
		{"Snapshot it: vlmc snapshot", d.snapshot},
		{fmt.Sprintf("Clone the snapshot %d times", clones), d.clone},
		{fmt.Sprintf("Write to %d of the clones over NBD", written), d.write},
		{"Prove that the snapshot is unharmed", d.proveSnapshot},
		{"Prove that every clone is what it should be", d.proveClones},
		{"Look at the node: archipelago status, vlmc list", d.look},
	} {
		fmt.Printf("\n== %s\n", s.what)
		began := time.Now()
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		fmt.Printf("   %.2f s\n", time.Since(began).Seconds())
	}
	return nil
}
