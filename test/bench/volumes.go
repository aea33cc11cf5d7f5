package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// volumesOptions are those of the benchmark of volumes.
type volumesOptions struct {
	bin    string        // where the commands of the project are
	dir    string        // under which stores and images lie
	out    string        // document to write into; "" = none
	plot   string        // picture to draw; "" = none
	only   string        // part to run; "" = all
	row    string        // the only row to run; "" = all
	rounds int           // of each side in each row
	time   time.Duration // of one of them
	idle   time.Duration // that an idle node is watched for
	size   int64         // of a volume, in bytes
	open   int           // volumes that an idle node holds open
}

func parseVolumes(args []string) (*volumesOptions, error) {
	o := volumesOptions{size: 512 << 20, open: 100}
	flags := flag.NewFlagSet("bench volumes", flag.ContinueOnError)
	flags.StringVar(&o.bin, "bin", "bin", "directory of the project's commands")
	flags.StringVar(&o.dir, "dir", os.TempDir(), "directory on the file system to measure; needs 6 GiB")
	flags.StringVar(&o.out, "o", "docs/benchmarks.md", "document to write into, between its markers; empty = none")
	flags.StringVar(&o.plot, "plot", "docs/benchmarks.svg", "picture to draw; empty = none")
	flags.IntVar(&o.rounds, "rounds", 5, "measurements of each side")
	flags.DurationVar(&o.time, "time", 2*time.Second, "length of one")
	flags.DurationVar(&o.idle, "idle", 10*time.Second, "how long an idle node is watched")
	flags.StringVar(&o.only, "only", "", "run only rows, information or idle; nothing is written")
	flags.StringVar(&o.row, "row", "", "run only the rows whose name has this in it; nothing is written")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.time < 100*time.Millisecond || o.idle <= 0 {
		return nil, errors.New("wrong arguments; see -help")
	}
	if o.only != "" || o.row != "" {
		o.out, o.plot = "", ""
	}
	return &o, nil
}

var volumesParts = []part[volumesOptions]{
	{"rows", volumeRows},
	{"information", volumeInformation},
	{"idle", idleVolumes},
}

// volumes measures I/O through NBD, the whole way from a client's socket to a file, beside other
// NBD servers.
func volumes(ctx context.Context, args []string) error {
	o, err := parseVolumes(args)
	if err != nil {
		return err
	}
	for _, tool := range []string{"fio", "qemu-nbd", "qemu-img", "nbdkit"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("needs fio, qemu-utils and nbdkit: %w", err)
		}
	}
	head := hostLines() + fmt.Sprintf("The files lie on %s. %s\n", fileSystem(o.dir), rivalVersions(ctx))
	return measureParts(ctx, "volumes", head, volumesParts, o, o.only, o.out)
}
