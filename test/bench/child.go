package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// childArg as first argument makes this program a process of a benchmark: ROLE SEGMENT NUMBERS…
//
// A child prints "ready", then answers each line of its standard input with one line, and ends with
// its standard input: so it never outlives who started it.
const childArg = "child"

// child is a process of a benchmark, from the inside.
type child struct {
	ctx  context.Context
	stop context.CancelFunc
	seg  *xseg.Segment
	loop *xseg.Loop
	n    []int // arguments
	in   *bufio.Scanner
}

var roles = map[string]func(*child) error{
	"echo": (*child).echo, "forward": (*child).forward, "client": (*child).client,
	"successor": (*child).successor, "spin": (*child).spin,
	"ports": (*child).ports, "channels": (*child).channels,
}

func childMain(args []string) error {
	if len(args) < 2 || roles[args[0]] == nil {
		return fmt.Errorf("unknown child %q", args)
	}
	c := &child{in: bufio.NewScanner(os.Stdin)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	defer c.stop()
	for _, a := range args[2:] {
		n, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		c.n = append(c.n, n)
	}
	if err := c.join(args[1]); err != nil {
		return err
	}
	if err := roles[args[0]](c); err != nil {
		return fmt.Errorf("child %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// join joins the segment, unless the child needs none ("-").
func (c *child) join(name string) (err error) {
	if name == "-" {
		return nil
	}
	if c.seg, err = xseg.Join(name); err != nil {
		return err
	}
	c.loop, err = c.seg.NewLoop()
	return err
}

// bind binds the port that argument i names.
func (c *child) bind(i int, role string, h xseg.Handler) (*xseg.Port, error) {
	return c.loop.Bind(c.ctx, xseg.PortNo(c.n[i]), xseg.BindOptions{Role: role, Handler: h})
}

// run runs the loop, and answers the lines of the parent until they end.
func (c *child) run(answer func(line string) string) error {
	ended := make(chan error, 1)
	go func() { ended <- c.loop.Run(c.ctx) }()
	fmt.Println("ready")
	c.answerAll(answer)
	c.stop()
	return errors.Join(<-ended, c.loop.Close())
}

func (c *child) answerAll(answer func(line string) string) {
	for c.in.Scan() {
		fmt.Println(answer(c.in.Text()))
	}
}

// spent answers how many objects this process has allocated so far, and how many nanoseconds of
// processor time it has used.
func spent(string) string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return err.Error()
	}
	return fmt.Sprint(m.Mallocs, " ", u.Utime.Nano()+u.Stime.Nano())
}

// echo PORT: answers.
func (c *child) echo() error {
	if _, err := c.bind(0, "echo", xsegtest.Echo); err != nil {
		return err
	}
	return c.run(spent)
}

// forward PORT TO: passes on to the next.
func (c *child) forward() error {
	f := &xsegtest.Forwarder{}
	p, err := c.bind(0, "forward", f.Serve)
	if err != nil {
		return err
	}
	ch, err := p.Connect(c.ctx, xseg.PortNo(c.n[1]), xseg.ChannelOptions{Slots: 64})
	if err != nil {
		return err
	}
	f.Use(ch)
	return c.run(spent)
}

// spin: the busy neighbour.
func (c *child) spin() error {
	go func() {
		for n := new(atomic.Uint64); ; n.Add(1) {
			runtime.KeepAlive(n)
		}
	}()
	fmt.Println("ready")
	c.answerAll(func(string) string { return "" })
	return nil
}

// ports FIRST COUNT: binds that many.
func (c *child) ports() error {
	for no := c.n[0]; no < c.n[0]+c.n[1]; no++ {
		opts := xseg.BindOptions{Role: "bench", Handler: xsegtest.Echo}
		if _, err := c.loop.Bind(c.ctx, xseg.PortNo(no), opts); err != nil {
			return err
		}
	}
	return c.run(spent)
}

// channels PORT FIRST COUNT SLOTS: connects to that many ports, and sends one request over each.
func (c *child) channels() error {
	p, err := c.bind(0, "bench", nil)
	if err != nil {
		return err
	}
	channels := make([]*xseg.Channel, c.n[2])
	for i := range channels {
		opts := xseg.ChannelOptions{Slots: c.n[3], BufferBytes: 16 << 20}
		if channels[i], err = p.Connect(c.ctx, xseg.PortNo(c.n[1]+i), opts); err != nil {
			return err
		}
	}
	return c.run(func(string) string {
		for _, ch := range channels {
			k := ch.Get(0)
			k.Op = xseg.OpPing
			if err := k.Do(c.ctx); err != nil {
				return err.Error()
			}
			k.Put()
		}
		return "ok"
	})
}
