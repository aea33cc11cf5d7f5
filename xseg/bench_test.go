package xseg_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// pump keeps depth requests in flight on ch until n have been answered. It runs on the loop.
type pump struct {
	ch      *xseg.Channel
	toStart int
	flying  int
	done    chan struct{}
	doneFn  func(*xseg.Call)
}

func (p *pump) start() {
	k := p.ch.GetOnLoop(0)
	k.Op, k.Done = xseg.OpPing, p.doneFn
	p.toStart--
	p.flying++
	k.SubmitOnLoop()
}

func (p *pump) ended(k *xseg.Call) {
	k.PutOnLoop()
	p.flying--
	if p.toStart > 0 {
		p.start()
	} else if p.flying == 0 {
		close(p.done)
	}
}

func (p *pump) run(l *xseg.Loop, n, depth int) {
	p.doneFn, p.toStart, p.done = p.ended, n, make(chan struct{})
	l.Post(func() {
		for range min(n, depth) {
			p.start()
		}
	})
	<-p.done
}

// chain starts hops servers in processes of their own and returns a client's channel to the
// first.
func chain(t testing.TB, hops int) (*xsegtest.Peer, *xseg.Channel) {
	n := xsegtest.New(t)
	n.Child(t, "echo", []string{"10"}).Ready()
	for i := 1; i < hops; i++ {
		n.Child(t, "forward", []string{fmt.Sprint(10 + i), fmt.Sprint(9 + i)}).Ready()
	}
	p := n.Peer(t)
	c := p.Connect(p.Bind(100, xseg.BindOptions{Role: "client"}), xseg.PortNo(9+hops),
		xseg.ChannelOptions{Slots: 128, BufferBytes: 8 << 20})
	p.Run()
	return p, c
}

// cpuTime returns the processor time of this process in ns: it tells the cost of a request also on
// a busy machine.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, hops := range []int{1, 2, 3} {
		for _, depth := range []int{1, 32, 128} {
			b.Run(fmt.Sprintf("hops=%d/depth=%d", hops, depth), func(b *testing.B) {
				p, c := chain(b, hops)
				pm := &pump{ch: c}
				pm.run(p.Loop, 2000, depth)
				b.ReportAllocs()
				b.ResetTimer()
				cpu := cpuTime()
				pm.run(p.Loop, b.N, depth)
				b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "client-cpu-ns/op")
			})
		}
	}
}

// BenchmarkFailover is the time from the death of a server, with a request in flight, to the first
// answer of its successor, which begins to bind then.
func BenchmarkFailover(b *testing.B) {
	n := xsegtest.New(b)
	p := n.Peer(b)
	port := p.Bind(100, xseg.BindOptions{Role: "client"})
	old := n.Child(b, "stuck", []string{"10"})
	old.Ready()
	c := p.Connect(port, 10, xseg.ChannelOptions{Slots: 16, BufferBytes: 1 << 20})
	p.Run()
	var total time.Duration
	for range b.N {
		k := c.Get(4096)
		done := make(chan struct{})
		k.Done = func(*xseg.Call) { close(done) }
		k.Submit()
		old.Line()
		old.Kill()
		begun := time.Now()
		next := n.Peer(b)
		next.Bind(10, xseg.BindOptions{Role: "stuck", Handler: xsegtest.Echo})
		next.Run()
		<-done
		total += time.Since(begun)
		k.Put()
		next.Stop()
		old = n.Child(b, "stuck", []string{"10"})
		old.Ready()
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N), "µs/failover")
}
