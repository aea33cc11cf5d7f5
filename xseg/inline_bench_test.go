package xseg

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"
)

// relay passes requests on, and answers back; the last of a chain answers itself.
type relay struct {
	next *Channel
	done func(*Call)
}

func (f *relay) serve(r *Request) {
	if f.next == nil {
		r.RespondOnLoop(0, 0)
		return
	}
	k := f.next.GetOnLoop(0)
	k.Op, k.User, k.Done = r.Op(), r, f.done
	k.SubmitOnLoop()
}

func (f *relay) ended(k *Call) {
	r := k.User.(*Request)
	errno, n := k.Errno(), k.Serviced()
	k.PutOnLoop()
	r.RespondOnLoop(errno, n)
}

// inlineChain makes a client and hops servers that are all driven by one goroutine: what is left
// is the transport's own work, without a wake-up, a scheduler or a second processor.
func inlineChain(b *testing.B, hops int) (loops []*Loop, first *Channel) {
	b.Helper()
	name := "xsegtest-" + rand.Text()[:12]
	spec := Spec{Name: name, Ports: 64, SizeMiB: 64, PageShift: 12}
	if err := Create(spec, CreateOptions{RuntimeDir: b.TempDir(), Group: -1}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = Destroy(name, true) })
	var next *relay
	for no := hops; no >= 0; no-- {
		s, err := Join(name)
		if err != nil {
			b.Fatal(err)
		}
		l, err := s.NewLoop()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = l.Close(); _ = s.Leave() })
		f := &relay{}
		f.done = f.ended
		opts := BindOptions{Role: "relay", Handler: f.serve}
		if no == 0 {
			opts.Handler = nil
		}
		p, err := l.Bind(context.Background(), PortNo(no+1), opts)
		if err != nil {
			b.Fatal(err)
		}
		if next != nil {
			f.next, err = p.Connect(context.Background(), PortNo(no+2), ChannelOptions{Slots: 64})
			if err != nil {
				b.Fatal(err)
			}
		}
		next, loops, first = f, append(loops, l), f.next
	}
	return loops, first
}

// BenchmarkInline is the cost of one request over a chain of hops, per request; compare with
// test/bench/yardstick/roundtrip.c, whose INLINE mode does the same in C.
func BenchmarkInline(b *testing.B) {
	for _, hops := range []int{1, 3} {
		for _, depth := range []int{1, 32} {
			b.Run(fmt.Sprintf("hops=%d/depth=%d", hops, depth), func(b *testing.B) {
				loops, c := inlineChain(b, hops)
				for begun := time.Now(); time.Since(begun) < 50*time.Millisecond; {
					for _, l := range loops {
						l.batch()
					}
				}
				left := b.N
				var done func(*Call)
				submit := func() {
					k := c.GetOnLoop(0)
					k.Op, k.Done = OpPing, done
					k.SubmitOnLoop()
				}
				done = func(k *Call) {
					k.PutOnLoop()
					if left--; left >= depth {
						submit()
					}
				}
				b.ReportAllocs()
				b.ResetTimer()
				for range depth {
					submit()
				}
				c.loop.publish()
				for left > 0 {
					for _, l := range loops {
						l.batch()
					}
				}
			})
		}
	}
}
