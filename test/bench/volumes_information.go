package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fourVolumes is how many clones are used at once.
const fourVolumes = 4

// informedNodes are the nodes of the tables, in the order of their columns.
var informedNodes = []variant{
	{title: "a process per role"},
	{title: "one process", name: "shared", flags: []string{"--in-process"}},
	{title: "direct I/O", name: "direct", direct: true},
}

// informed are the results of one load: of the raw file, and of each node by its title.
type informed struct {
	load load
	raw  []float64
	one  map[string][]result
	four map[string][]float64
}

// volumeInformation measures what has no goal: the raw file without any server, several volumes at
// once, nodes that run in one process or without the page cache.
func volumeInformation(ctx context.Context, o *volumesOptions) (markdown string, err error) {
	d, err := newBenchDir(o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	nodes := map[string]*archipelagoServer{}
	defer func() {
		for _, n := range nodes {
			err = errors.Join(err, n.close())
		}
	}()
	for _, v := range informedNodes {
		n, err := newArchipelago(ctx, o, d, v)
		if err != nil {
			return "", fmt.Errorf("node with %s: %w", v.title, err)
		}
		nodes[v.title] = n
	}
	var list []informed
	for _, l := range []load{
		{rw: "randread", block: 4096, depth: 1}, {rw: "randwrite", block: 4096, depth: 1},
		{rw: "randread", block: 4096, depth: 32}, {rw: "randwrite", block: 4096, depth: 32},
	} {
		progress("%s …", l.title())
		i, err := inform(ctx, o, d, nodes, l)
		if err != nil {
			return "", fmt.Errorf("%s: %w", l.title(), err)
		}
		list = append(list, i)
	}
	return informationTables(o, list), nil
}

func (l load) title() string { return fmt.Sprintf("%s, depth %d", l.rw, l.depth) }

// inform takes turns: what is compared has run one right after the other.
func inform(ctx context.Context, o *volumesOptions, d *benchDir, nodes map[string]*archipelagoServer, l load) (informed, error) {
	i := informed{load: l, one: map[string][]result{}, four: map[string][]float64{}}
	for range o.rounds {
		if err := warm([]string{d.raw}); err != nil {
			return i, err
		}
		raw, err := runFio(ctx, l.rawArgs(d.raw, o.time))
		if err != nil {
			return i, err
		}
		i.raw = append(i.raw, raw.IOPS)
		for _, v := range informedNodes {
			one, err := measureOne(ctx, o, nodes[v.title], full, l)
			if err != nil {
				return i, err
			}
			i.one[v.title] = append(i.one[v.title], one)
		}
		for _, v := range informedNodes {
			four, err := nodes[v.title].several(ctx, o, l)
			if err != nil {
				return i, err
			}
			i.four[v.title] = append(i.four[v.title], four)
		}
	}
	return i, nil
}

// informationTables are the two tables, and what they mean.
func informationTables(o *volumesOptions, list []informed) string {
	rates := []string{"load", "raw file"}
	costs := []string{"load"}
	for _, v := range informedNodes {
		rates, costs = append(rates, v.title), append(costs, "CPU, "+v.title)
	}
	for _, v := range informedNodes {
		rates, costs = append(rates, "four: "+v.title), append(costs, "p99, "+v.title)
	}
	rate, cost := newTable(rates...), newTable(costs...)
	for i := range list {
		rate.add(list[i].rates()...)
		cost.add(list[i].costs()...)
	}
	return "### For information\n\n" + rate.String() + fmt.Sprintf("\n"+`Requests of 4 KiB per second, medians of %d rounds of %v in turn: of one volume, and of four clones at
once, all together. The raw file is read and written by fio itself through the page cache (io_uring).
"One process" is a node by `+"`archipelago run --in-process`, \"direct I/O\" one with `direct = True`"+` for
the data blocker, whose reads and writes pass by the page cache and so wait for the disk.

`, o.rounds, o.time) + cost.String() + `
Of one volume: processor time of all processes of the node per request, and latency from fio's view, in µs.
`
}

func (i *informed) rates() []string {
	cells := []string{i.load.title(), amount(i.raw)}
	for _, v := range informedNodes {
		var list []float64
		for _, r := range i.one[v.title] {
			list = append(list, r.iops)
		}
		cells = append(cells, amount(list))
	}
	for _, v := range informedNodes {
		cells = append(cells, amount(i.four[v.title]))
	}
	return cells
}

func (i *informed) costs() []string {
	cells := []string{i.load.title()}
	for _, v := range informedNodes {
		cells = append(cells, microsOf(i.one[v.title], "%.1f", func(r result) time.Duration { return r.cpu }))
	}
	for _, v := range informedNodes {
		cells = append(cells, microsOf(i.one[v.title], "%.0f", func(r result) time.Duration { return r.p99 }))
	}
	return cells
}

// microsOf formats the median of a time of results; a dash without any.
func microsOf(list []result, format string, of func(result) time.Duration) string {
	if len(list) == 0 {
		return "–"
	}
	return fmt.Sprintf(format, medianMicros(list, of))
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
