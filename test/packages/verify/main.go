// Command verify writes to a volume over NBD and checks what it reads, whatever is killed meanwhile:
// an error or a wrong block ends it with status 1. SIGTERM ends the writing; then every block is
// checked, and a line says how much was done and how long the longest pause was.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"archipelago/internal/nbd/client"
	"archipelago/test/load"
)

// pause is the time between two tries to connect again.
const pause = 20 * time.Millisecond

func main() {
	socket := flag.String("socket", "/run/archipelago/nbd.sock", "socket of the NBD server")
	blocks := flag.Int("blocks", 2048, "blocks of 4 KiB that are written to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *socket, flag.Arg(0), *blocks); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

// run expects a volume that reads as zeros.
func run(ctx context.Context, socket, volume string, blocks int) error {
	c, err := client.Dial(context.Background(), "unix", socket, volume, client.Options{Redial: pause})
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("writing")
	device := &load.Timed{Device: c}
	checker := load.NewChecker(blocks, uint64(os.Getpid()))
	if err := checker.Run(ctx, device, 4, uint64(os.Getpid())); err != nil {
		return err
	}
	longest, calls := device.Longest()
	// ctx has ended: the last look at every block is what it was for.
	if err := checker.CheckAll(context.WithoutCancel(ctx), c); err != nil {
		return err
	}
	fmt.Printf("%d requests, longest pause %s\n", calls, longest.Round(time.Millisecond))
	return nil
}
