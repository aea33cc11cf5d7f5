package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// cell is one case of the comparison.
type cell struct {
	hops, depth  int
	busy         bool
	ours, theirs []rate // by round
}

func cells(hops int, busy bool) []*cell {
	var list []*cell
	for n := 1; n <= hops; n++ {
		for _, depth := range []int{1, 32} {
			list = append(list, &cell{hops: n, depth: depth, busy: busy})
		}
	}
	return list
}

// warmUp is how long a chain pumps before it is measured.
const warmUp = 100 * time.Millisecond

// roundTrips compares the transport with the yardstick, quiet and beside a busy neighbour.
func roundTrips(ctx context.Context, o *options) (string, error) {
	dir, err := os.MkdirTemp("", "archip-test-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	y, err := newYardstick(ctx, dir)
	if err != nil {
		return "", err
	}
	if y.skip != "" {
		progress("SKIP yardstick: %s", y.skip)
	}
	quiet, busy := cells(o.hops, false), cells(o.hops, true)
	if err := rounds(ctx, o, y, quiet); err != nil {
		return "", err
	}
	spinner, err := start(ctx, "spin", "-")
	if err != nil {
		return "", err
	}
	defer spinner.end()
	if err := rounds(ctx, o, y, busy); err != nil {
		return "", err
	}
	return roundTripTable(o, y, append(quiet, busy...)), nil
}

// rounds measures all cells in turn, and that as many times as there are rounds: what changes on
// the machine meanwhile hits all of them alike. Who begins alternates.
func rounds(ctx context.Context, o *options, y yardstick, list []*cell) error {
	for r := range o.rounds {
		for _, c := range list {
			sides := []func() error{
				func() error { return c.measureOurs(ctx, o.time) },
				func() error { return c.measureTheirs(ctx, y, o.time) },
			}
			if err := errors.Join(sides[r%2](), sides[1-r%2]()); err != nil {
				return fmt.Errorf("%d hops, depth %d: %w", c.hops, c.depth, err)
			}
		}
		progress("  round %d of %d", r+1, o.rounds)
	}
	return nil
}

func (c *cell) measureOurs(ctx context.Context, d time.Duration) error {
	ch, err := newChain(ctx, c.hops, c.depth)
	if err != nil {
		return err
	}
	_, err = ch.measure(warmUp)
	if err == nil {
		var r rate
		r, err = ch.measure(d)
		c.ours = append(c.ours, r)
	}
	return errors.Join(err, ch.close())
}

func (c *cell) measureTheirs(ctx context.Context, y yardstick, d time.Duration) error {
	if y.path == "" {
		return nil
	}
	r, err := y.measure(ctx, c.hops, c.depth, d)
	c.theirs = append(c.theirs, r)
	return err
}

func roundTripTable(o *options, y yardstick, list []*cell) string {
	text := "### Round trips\n\n"
	if y.skip != "" {
		text += "Without the yardstick: " + y.skip + ".\n\n"
	}
	t := newTable("hops", "depth", "neighbour", "ours", "C", "ratio", "worst–best", "CPU ours", "CPU of C", "ratio")
	for _, c := range list {
		t.add(c.row()...)
	}
	return text + t.String() + fmt.Sprintf("\nRound trips per second: medians of %d rounds of %v for each side, in turn; the "+
		"ratio is the median of\nthe rounds' own, beside it the range of those. A client and each hop are processes of "+
		"their own. CPU\nis the processor time of all of them per round trip, in µs: other load changes it little. "+
		"Goals: ratio at\nleast 0.83 at 1 hop and depth 1 (1.2 times C's time), at least 0.90 at 3 hops and depth 32.\n",
		o.rounds, o.time)
}

func (c *cell) row() []string {
	neighbour := "quiet"
	if c.busy {
		neighbour = "busy"
	}
	speed, cpu := column(c.ours, rate.speed), column(c.ours, rate.cpuMicros)
	row := []string{fmt.Sprint(c.hops), fmt.Sprint(c.depth), neighbour, perSecond(median(speed)), "–", "–", "–",
		fmt.Sprintf("%.2f", median(cpu)), "–", "–"}
	if len(c.theirs) > 0 {
		theirSpeed, theirCPU := column(c.theirs, rate.speed), column(c.theirs, rate.cpuMicros)
		ratios := ratiosOf(speed, theirSpeed)
		row[4], row[5] = perSecond(median(theirSpeed)), fmt.Sprintf("%.2f", median(ratios))
		row[6] = fmt.Sprintf("%.2f–%.2f", least(ratios), most(ratios))
		row[8] = fmt.Sprintf("%.2f", median(theirCPU))
		row[9] = fmt.Sprintf("%.2f", median(ratiosOf(theirCPU, cpu))) // less is better: turned round
	}
	return row
}

func (r rate) speed() float64     { return r.perSecond }
func (r rate) cpuMicros() float64 { return r.cpu / 1e3 }

// column takes one number of each round.
func column(rates []rate, f func(rate) float64) []float64 {
	list := make([]float64, len(rates))
	for i, r := range rates {
		list[i] = f(r)
	}
	return list
}
