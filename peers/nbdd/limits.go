package nbdd

import (
	"sync/atomic"
	"time"
)

// Limits are what clients may use. Zero fields mean the default.
type Limits struct {
	Connections int           // at once; default 1024
	Requests    int           // under way per connection; default 256
	ClientBytes int64         // of data under way, per connection; default 32 MiB
	HeapBytes   int64         // in all, for clients that stall and for long unsplit reads; default 256 MiB
	Handshake   time.Duration // for one option of the negotiation; default 30 s
	Stall       time.Duration // until a stalled client loses its buffers; default 100 ms
	Grace       time.Duration // for requests under way when the server ends; default 5 s
	Listless    time.Duration // for answers in the negotiation when clients are handed over; default 1 s
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Connections, 1024)
	setDefault(&l.Requests, 256)
	setDefault(&l.ClientBytes, 32<<20)
	setDefault(&l.HeapBytes, 256<<20)
	setDefault(&l.Handshake, 30*time.Second)
	setDefault(&l.Stall, 100*time.Millisecond)
	setDefault(&l.Grace, 5*time.Second)
	setDefault(&l.Listless, time.Second)
	return l
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// budget is bytes that many clients share.
type budget struct{ left atomic.Int64 }

// take takes n bytes, or nothing.
func (b *budget) take(n int) bool {
	if b.left.Add(int64(-n)) >= 0 {
		return true
	}
	b.left.Add(int64(n))
	return false
}

func (b *budget) give(n int) { b.left.Add(int64(n)) }
