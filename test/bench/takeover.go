package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// takeover kills servers under load, and tells how long it takes until a successor has received
// the first request: one that has joined and only waits for the port, and one that is started when
// the death is known.
func takeover(ctx context.Context, o *options) (string, error) {
	t := newTable("successor", "kills", "median", "best", "worst")
	for _, kind := range []struct {
		name  string
		ready bool
	}{{"has joined, waits for the word", true}, {"is started then", false}} {
		times, err := killServers(ctx, o.kills, kind.ready)
		if err != nil {
			return "", err
		}
		t.add(kind.name, fmt.Sprint(len(times)), millis(time.Duration(median(times))),
			millis(time.Duration(least(times))), millis(time.Duration(most(times))))
	}
	return "### Death of a server\n\n" + t.String() + "\nFrom just before kill -9, at depth 32, to the first request that the " +
		"successor receives. Goal: 20 ms,\nwithout the supervisor's part.\n", nil
}

func killServers(ctx context.Context, kills int, ready bool) (times []float64, err error) {
	s, err := newSegment(256, 64)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	server, err := joined(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := server.say("bind"); err != nil {
		return nil, err
	}
	client, err := s.start(ctx, "client", clientPort, firstServer, 32)
	if err != nil {
		return nil, err
	}
	if _, err := client.ask("start"); err != nil {
		return nil, err
	}
	if _, err := server.expect("first"); err != nil {
		return nil, err
	}
	for range kills {
		var took time.Duration
		if server, took, err = s.replace(ctx, server, ready); err != nil {
			return nil, err
		}
		times = append(times, float64(took))
	}
	server.kill()
	return times, nil
}

// joined starts a server that doesn't hold its port yet.
func joined(ctx context.Context, s *segment) (*process, error) {
	p, err := spawn(ctx, "successor", s.name, firstServer)
	if err != nil {
		return nil, err
	}
	if _, err := p.expect("ready"); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// replace kills a server and returns its successor, and how long nobody served.
func (s *segment) replace(ctx context.Context, server *process, ready bool) (next *process, took time.Duration, err error) {
	if ready {
		if next, err = joined(ctx, s); err != nil {
			return nil, 0, err
		}
	}
	// Some load between two deaths, so that each finds the transport at work.
	if err := sleep(ctx, 100*time.Millisecond); err != nil {
		return nil, 0, err
	}
	killed := monotonic()
	if err := server.cmd.Process.Kill(); err != nil {
		return nil, 0, err
	}
	if !ready {
		_ = server.cmd.Wait() // a supervisor starts the next when it knows of the death
		if next, err = joined(ctx, s); err != nil {
			return nil, 0, err
		}
	}
	if err := next.say("bind"); err != nil {
		return nil, 0, err
	}
	first, err := next.expect("first")
	if err != nil {
		return nil, 0, err
	}
	if ready {
		_ = server.cmd.Wait()
	}
	at, err := strconv.ParseInt(first, 10, 64)
	return next, time.Duration(at - killed), err
}

// monotonic is a clock that all processes share.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // there is no Linux without it
	}
	return ts.Nano()
}

// successor PORT: joins, says "ready", waits for a line, binds, and prints "first" and the time at
// which it received its first request.
func (c *child) successor() error {
	fmt.Println("ready")
	if !c.in.Scan() {
		return nil
	}
	var once sync.Once
	_, err := c.bind(0, "echo", func(r *xseg.Request) {
		once.Do(func() {
			at := monotonic()
			go fmt.Println("first", at) // not in the loop: it may block
		})
		xsegtest.Echo(r)
	})
	if err != nil {
		return err
	}
	go func() { // the end of the input is ours
		c.answerAll(func(string) string { return "" })
		c.stop()
	}()
	return errors.Join(c.loop.Run(c.ctx), c.loop.Close())
}
