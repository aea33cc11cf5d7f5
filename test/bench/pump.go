package main

import (
	"fmt"
	"strconv"
	"time"

	"archipelago/xseg"
)

// pump keeps a number of requests in flight and counts the answers. It lives on the loop.
type pump struct {
	loop *xseg.Loop
	ch   *xseg.Channel
	done func(*xseg.Call) // p.ended, bound once

	running  bool
	flying   int
	answers  int64
	begun    time.Time
	finished chan struct{}
}

func newPump(l *xseg.Loop, ch *xseg.Channel) *pump {
	p := &pump{loop: l, ch: ch}
	p.done = p.ended
	return p
}

func (p *pump) submit() {
	k := p.ch.GetOnLoop(0)
	k.Op, k.Done = xseg.OpPing, p.done
	k.SubmitOnLoop()
}

func (p *pump) ended(k *xseg.Call) {
	k.PutOnLoop()
	if p.running {
		p.answers++
		p.submit()
		return
	}
	if p.flying--; p.flying == 0 {
		close(p.finished)
	}
}

// start puts depth requests in flight, until stop.
func (p *pump) start(depth int) {
	p.finished = make(chan struct{})
	p.loop.Post(func() {
		p.running, p.flying, p.answers, p.begun = true, depth, 0, time.Now()
		for range depth {
			p.submit()
		}
	})
}

// stop returns how many were answered, and in which time, when none is in flight any more.
func (p *pump) stop() (answers int64, took time.Duration) {
	p.loop.Post(func() { p.running, took = false, time.Since(p.begun) })
	<-p.finished
	return p.answers, took
}

// client PORT TO DEPTH: answers a number of milliseconds with "ANSWERS NANOSECONDS" of pumping for
// that long, "start" with pumping for good, and anything else as spent does.
func (c *child) client() error {
	port, err := c.bind(0, "client", nil)
	if err != nil {
		return err
	}
	ch, err := port.Connect(c.ctx, xseg.PortNo(c.n[1]), xseg.ChannelOptions{Slots: 64, Wait: true})
	if err != nil {
		return err
	}
	p := newPump(c.loop, ch)
	return c.run(func(line string) string {
		if line == "start" {
			p.start(c.n[2])
			return ""
		}
		ms, err := strconv.Atoi(line)
		if err != nil {
			return spent(line)
		}
		return p.measure(c.n[2], time.Duration(ms)*time.Millisecond)
	})
}

func (p *pump) measure(depth int, d time.Duration) string {
	timer := time.NewTimer(d)
	p.start(depth)
	<-timer.C
	answers, took := p.stop()
	return fmt.Sprint(answers, " ", took.Nanoseconds())
}
