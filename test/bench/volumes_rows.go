package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// volumeRow is one line of the table.
type volumeRow struct {
	name  string
	load  load
	state state
	rival string // the one that the goal speaks of
	goal  float64
	ours  state // of our own volume, if not that
}

const mib = 1 << 20

// firstWrites is a load whose log is made for each run.
func firstWrites(depth int) load { return load{block: 4096, depth: depth, once: onceLog} }

const onceLog = "once"

// volumeRowList are the rows, with what they shall reach.
var volumeRowList = []volumeRow{
	{name: "4 KiB read, depth 1", load: load{rw: "randread", block: 4096, depth: 1}, rival: "qemu-nbd qcow2", goal: 1},
	{name: "4 KiB write, depth 1", load: load{rw: "randwrite", block: 4096, depth: 1}, rival: "qemu-nbd qcow2", goal: 1},
	{name: "4 KiB read, depth 32", load: load{rw: "randread", block: 4096, depth: 32}, rival: "qemu-nbd qcow2", goal: 1.5},
	{name: "4 KiB write, depth 32", load: load{rw: "randwrite", block: 4096, depth: 32}, rival: "qemu-nbd qcow2", goal: 1.5},
	{name: "first write to a clone, depth 1", load: firstWrites(1),
		state: clone, rival: "qemu-nbd qcow2", goal: 1},
	{name: "first write to a clone, depth 32", load: firstWrites(32),
		state: clone, rival: "qemu-nbd qcow2", goal: 1},
	{name: "the same after a snapshot, depth 1", load: firstWrites(1),
		state: clone, ours: snapshotted, rival: "qemu-nbd qcow2", goal: 0.5},
	{name: "the same after a snapshot, depth 32", load: firstWrites(32),
		state: clone, ours: snapshotted, rival: "qemu-nbd qcow2", goal: 0.5},
	{name: "read of a clone, depth 1", load: load{rw: "randread", block: 4096, depth: 1}, state: clone,
		rival: "qemu-nbd qcow2", goal: 1},
	{name: "read of a clone, depth 32", load: load{rw: "randread", block: 4096, depth: 32}, state: clone,
		rival: "qemu-nbd qcow2", goal: 1},
	{name: "1 MiB read in sequence, depth 4", load: load{rw: "read", block: mib, depth: 4}, rival: "qemu-nbd qcow2", goal: 1.5},
	{name: "1 MiB write in sequence, depth 4", load: load{rw: "write", block: mib, depth: 4}, rival: "qemu-nbd qcow2", goal: 1.5},
	{name: "4 KiB write and flush", load: load{rw: "randwrite", block: 4096, depth: 1, fsync: true},
		rival: "qemu-nbd qcow2", goal: 0.7},
}

// measured are the results of one row, by server.
type measured struct {
	row     *volumeRow
	results map[string][]result
}

func (m *measured) rates(server string) []float64 {
	var list []float64
	for _, r := range m.results[server] {
		list = append(list, r.rate(m.row))
	}
	return list
}

// rate is what the row compares: bytes per second of large requests, else requests.
func (r result) rate(row *volumeRow) float64 {
	if row.load.block >= mib {
		return r.bytes / mib
	}
	return r.iops
}

// cpu is the processor time of a server per request, in µs.
func (m *measured) cpu(server string) float64 {
	return medianMicros(m.results[server], func(r result) time.Duration { return r.cpu })
}

// client is the same of its client.
func (m *measured) client(server string) float64 {
	return medianMicros(m.results[server], func(r result) time.Duration { return r.fio })
}

// medianMicros is the median of a time of results, in µs; 0 without any.
func medianMicros(results []result, of func(result) time.Duration) float64 {
	var list []float64
	for _, r := range results {
		list = append(list, float64(of(r))/float64(time.Microsecond))
	}
	return median(list)
}

func volumeRows(ctx context.Context, o *volumesOptions) (markdown string, err error) {
	d, err := newBenchDir(o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	ours, err := newArchipelago(ctx, o, d, variant{})
	if err != nil {
		return "", err
	}
	servers := []server{ours, newNbdkit(d), newQcow2(d, "io_uring")}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.close())
		}
	}()
	var list []measured
	for i := range volumeRowList {
		row := &volumeRowList[i]
		if !row.wanted(o) {
			continue
		}
		progress("%s …", row.name)
		m, err := row.measure(ctx, o, d.path, servers)
		if err != nil {
			return "", fmt.Errorf("%s: %w", row.name, err)
		}
		list = append(list, m)
	}
	if o.plot != "" {
		if err := drawVolumes(o.plot, list); err != nil {
			return "", err
		}
	}
	return rowsTable(o, list), nil
}

// measure takes turns: what is compared has run one right after the other.
func (row *volumeRow) measure(ctx context.Context, o *volumesOptions, dir string, servers []server) (measured, error) {
	m := measured{row: row, results: map[string][]result{}}
	l := row.load
	if l.once != "" {
		l.once = filepath.Join(dir, onceLog)
	}
	for range o.rounds {
		for i, s := range servers {
			st := row.state
			if i == 0 && row.ours != 0 {
				st = row.ours
			}
			if f, ok := s.(*foreign); ok && f.image[st] == nil {
				continue
			}
			r, err := measureOne(ctx, o, s, st, l)
			if err != nil {
				return m, fmt.Errorf("%s: %w", s.name(), err)
			}
			m.results[s.name()] = append(m.results[s.name()], r)
		}
	}
	return m, nil
}

func measureOne(ctx context.Context, o *volumesOptions, s server, st state, l load) (r result, err error) {
	e, err := s.open(ctx, st)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := warm(e.files); err != nil {
		return r, err
	}
	return l.measure(ctx, e, o.time)
}

func rowsTable(o *volumesOptions, list []measured) string {
	t := newTable("load", "ours", "qemu-nbd qcow2", "ratio", "goal", "nbdkit file", "ratio",
		"CPU ours", "CPU qcow2", "CPU nbdkit", "CPU fio")
	for i := range list {
		m := &list[i]
		ours, qcow2, kit := m.rates("archipelago"), m.rates("qemu-nbd qcow2"), m.rates("nbdkit file")
		t.add(m.row.name, amount(ours), amount(qcow2), ratioOf(ours, qcow2), fmt.Sprintf("%.1f", m.row.goal),
			amount(kit), ratioOf(ours, kit), micros(m.cpu("archipelago")), micros(m.cpu("qemu-nbd qcow2")),
			micros(m.cpu("nbdkit file")), micros(m.client("archipelago")))
	}
	return "### Beside other NBD servers\n\n" + t.String() + fmt.Sprintf("\n"+`Requests per second (of 1 MiB: MiB/s), medians of %d rounds of %v for each server, in turn;
ratios are medians of the rounds' own. All files were in the page cache. The goal is the ratio to qemu-nbd that is to be reached at least.
CPU is the processor time of all processes of a server per request, in µs; that of fio is what it took
itself as the client of ours: with 10 µs no server could give it more than 100 k per second. fio's nbd engine
is the client, the volume has %d MiB. A first write goes to a sub-block (64 KiB) that was never written; "after a
snapshot" means a clone that was half written and then snapshotted, compared with a plain qcow2 clone.
`, o.rounds, o.time, o.size>>20)
}

func amount(list []float64) string {
	if len(list) == 0 {
		return "–"
	}
	return perSecond(median(list))
}

func ratioOf(ours, theirs []float64) string {
	r := ratiosOf(ours, theirs)
	if len(r) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", median(r))
}

func micros(v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", v)
}

func (row *volumeRow) wanted(o *volumesOptions) bool {
	return o.row == "" || strings.Contains(row.name, o.row)
}
