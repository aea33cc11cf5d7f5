package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

var errHelp = flag.ErrHelp

// options of the benchmark of the transport.
type options struct {
	bin    string        // where the commands of the project are
	out    string        // document to write into; "" = none
	rounds int           // of each side in each cell
	time   time.Duration // of one of them
	idle   time.Duration // that an idle node is watched for
	kills  int           // servers killed, per kind of successor
	only   string        // part to run; "" = all

	// Smaller in tests of the benchmark itself.
	hops, ports, channels int
}

func parse(args []string) (*options, error) {
	o := options{hops: 3, ports: 2000, channels: 200}
	flags := flag.NewFlagSet("bench transport", flag.ContinueOnError)
	flags.StringVar(&o.bin, "bin", "bin", "directory of the project's commands")
	flags.StringVar(&o.out, "o", "docs/benchmarks.md", "document to write into, between its markers; empty = none")
	flags.IntVar(&o.rounds, "rounds", 5, "measurements of each side")
	flags.DurationVar(&o.time, "time", time.Second, "length of one")
	flags.DurationVar(&o.idle, "idle", 10*time.Second, "how long an idle node is watched")
	flags.IntVar(&o.kills, "kills", 11, "servers killed, for each kind of successor")
	flags.StringVar(&o.only, "only", "", "run only roundtrip, allocations, idle, memory or takeover; nothing is written")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.time <= 0 || o.idle <= 0 || o.kills < 1 {
		return nil, errors.New("wrong arguments; see -help")
	}
	if o.only != "" {
		o.out = ""
	}
	return &o, nil
}

var parts = []part[options]{
	{"roundtrip", roundTrips},
	{"allocations", allocations},
	{"idle", idleNode},
	{"memory", memory},
	{"takeover", takeover},
}

func transport(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	return measureAll(ctx, o)
}

func measureAll(ctx context.Context, o *options) error {
	return measureParts(ctx, "transport", hostLines(), parts, o, o.only, o.out)
}

// progress tells on standard error what goes on; the results go to standard output.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
