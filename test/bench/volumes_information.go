package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fourVolumes is how many clones are used at once.
const fourVolumes = 4

// volumeInformation measures what has no goal: the raw file without any server, several volumes at
// once.
func volumeInformation(ctx context.Context, o *volumesOptions) (markdown string, err error) {
	d, err := newBenchDir(o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	ours, err := newArchipelago(ctx, o, d)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	t := newTable("load", "raw file", "one volume", "four volumes, all together", "p99 of one")
	for _, l := range []load{
		{rw: "randread", block: 4096, depth: 1}, {rw: "randwrite", block: 4096, depth: 1},
		{rw: "randread", block: 4096, depth: 32}, {rw: "randwrite", block: 4096, depth: 32},
	} {
		if err := informationRow(ctx, o, d, ours, l, t); err != nil {
			return "", err
		}
	}
	return "### For information\n\n" + t.String() + fmt.Sprintf("\nRequests of 4 KiB per second, medians of %d rounds. The raw file is "+
		"read and written by fio itself through the page cache (io_uring). Latency is from fio's view.\n", o.rounds), nil
}

func informationRow(ctx context.Context, o *volumesOptions, d *benchDir, s *archipelagoServer, l load, t *mdTable) error {
	var raw, one, four, p99 []float64
	for range o.rounds {
		if err := warm([]string{d.raw}); err != nil {
			return err
		}
		r, err := runFio(ctx, l.rawArgs(d.raw, o.time))
		if err != nil {
			return err
		}
		raw = append(raw, r.IOPS)
		single, err := measureOne(ctx, o, s, full, l)
		if err != nil {
			return err
		}
		one, p99 = append(one, single.iops), append(p99, float64(single.p99))
		sum, err := s.several(ctx, o, l)
		if err != nil {
			return err
		}
		four = append(four, sum)
	}
	t.add(fmt.Sprintf("%s, depth %d", l.rw, l.depth), amount(raw), amount(one), amount(four),
		fmt.Sprintf("%.0f µs", median(p99)/float64(time.Microsecond)))
	return nil
}

// rawArgs are those for the file itself.
func (l load) rawArgs(path string, d time.Duration) []string {
	args := l.args("", d)
	args[1], args[2] = "--ioengine=io_uring", "--filename="+path
	return args
}

// several loads fourVolumes clones at once and returns their requests per second, added up.
func (s *archipelagoServer) several(ctx context.Context, o *volumesOptions, l load) (sum float64, err error) {
	args := l.args("", o.time)
	common := append([]string{"--output-format=json"}, args[4:]...)
	for range fourVolumes {
		e, err := s.open(ctx, clone)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		common = append(common, fmt.Sprintf("--name=load%d", s.count), "--ioengine=nbd", "--uri="+e.uri)
	}
	r, err := runFio(ctx, common)
	return r.IOPS, err
}
