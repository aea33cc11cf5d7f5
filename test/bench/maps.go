package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

// mapsOptions are those of the benchmark of maps.
type mapsOptions struct {
	dir    string        // under which the stores are made
	out    string        // document to write into; "" = none
	only   string        // part to run; "" = all
	rounds int           // of each operation
	whole  int           // removals of a volume whose map is full: each needs a new one
	clones int           // of one snapshot
	names  int           // volumes in the store that is listed
	time   time.Duration // of one measurement of a codec

	// Smaller in tests of the benchmark itself.
	size int64         // of the volume, in bytes
	idle time.Duration // that a volume isn't used for before it counts as idle
}

func parseMaps(args []string) (*mapsOptions, error) {
	o := mapsOptions{size: 1 << 40, idle: idleWait}
	flags := flag.NewFlagSet("bench maps", flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", os.TempDir(), "directory on the file system to measure")
	flags.StringVar(&o.out, "o", "docs/benchmarks.md", "document to write into, between its markers; empty = none")
	flags.IntVar(&o.rounds, "rounds", 21, "measurements of each operation")
	flags.IntVar(&o.whole, "whole", 5, "removals of a volume whose map is full")
	flags.IntVar(&o.clones, "clones", 10_000, "clones of one snapshot")
	flags.IntVar(&o.names, "names", 100_000, "volumes in the store that is listed")
	flags.DurationVar(&o.time, "time", 20*time.Millisecond, "length of one measurement of encode and decode")
	flags.StringVar(&o.only, "only", "", "run only operations, clones, memory, codec or list; nothing is written")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 || min(o.rounds, o.whole, o.clones, o.names) < 1 || o.time <= 0 {
		return nil, errors.New("wrong arguments; see -help")
	}
	if o.only != "" {
		o.out = ""
	}
	return &o, nil
}

var mapsParts = []part[mapsOptions]{
	{"operations", mapOperations},
	{"clones", manyClones},
	{"memory", mapMemory},
	{"codec", codecs},
	{"list", listing},
}

func maps(ctx context.Context, args []string) error {
	o, err := parseMaps(args)
	if err != nil {
		return err
	}
	return measureMaps(ctx, o)
}

func measureMaps(ctx context.Context, o *mapsOptions) error {
	head := hostLines() + fmt.Sprintf("The stores lie on %s.\n", fileSystem(o.dir))
	return measureParts(ctx, "maps", head, mapsParts, o, o.only, o.out)
}
