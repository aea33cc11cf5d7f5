package main

import (
	"context"
	"errors"
	"fmt"
)

// allocations counts what all processes of a chain allocate per request, runtime and all.
func allocations(ctx context.Context, o *options) (string, error) {
	t := newTable("hops", "depth", "requests", "objects of the client", "of its servers", "per request")
	for _, hops := range []int{1, o.hops} {
		for _, depth := range []int{1, 32} {
			row, err := countAllocations(ctx, o, hops, depth)
			if err != nil {
				return "", err
			}
			t.add(row...)
		}
	}
	return "### Allocations\n\n" + t.String() + "\nObjects that the Go heap handed out, in all processes; goal: none per " +
		"request.\n", nil
}

func countAllocations(ctx context.Context, o *options, hops, depth int) (row []string, err error) {
	c, err := newChain(ctx, hops, depth)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.measure(warmUp); err != nil {
		return nil, err
	}
	r, err := c.measure(o.time)
	if err != nil {
		return nil, err
	}
	per := float64(r.ofClient+r.ofServers) / float64(max(r.answers, 1))
	return []string{fmt.Sprint(hops), fmt.Sprint(depth), fmt.Sprint(r.answers), fmt.Sprint(r.ofClient),
		fmt.Sprint(r.ofServers), fmt.Sprintf("%.5f", per)}, nil
}
