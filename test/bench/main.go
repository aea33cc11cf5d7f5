// Command bench measures the project beside others, in one run and interleaved, and writes the
// results into the manual:
//
//	go run ./test/bench transport    package xseg beside a bare round trip in C (yardstick/)
//	go run ./test/bench maps         what an operator waits for, memory of maps, their encoding
//	go run ./test/bench volumes      I/O through NBD beside qemu-nbd and nbdkit
//
// It reports medians and ratios (ours/theirs, higher is better) and never judges them: a machine
// that is busy with other things makes all of them worse, the ratios least.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// benchmarks by the name of the first argument.
var benchmarks = map[string]func(ctx context.Context, args []string) error{
	"transport": transport,
	"maps":      maps,
	"volumes":   volumes,
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		exit(childMain(os.Args[2:]))
	}
	if len(os.Args) < 2 || benchmarks[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: bench {transport | maps | volumes} [FLAGS]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(benchmarks[os.Args[1]](ctx, os.Args[2:]))
}

func exit(err error) {
	if err != nil && !errors.Is(err, errHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
