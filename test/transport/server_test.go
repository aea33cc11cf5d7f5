package transport

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// opStat asks a server what it holds: goroutines and descriptors.
const opStat = 100

// stamp is the inline payload of a request, which comes back with the reply: client, life, number,
// and what the answer to it is: the checksum of what a write brings.
const stampSize = 24

func putStamp(b []byte, client, life uint32, id uint64) {
	binary.LittleEndian.PutUint32(b, client)
	binary.LittleEndian.PutUint32(b[4:], life)
	binary.LittleEndian.PutUint64(b[8:], id)
}

func putSum(b []byte, sum uint64) { binary.LittleEndian.PutUint64(b[16:], sum) }
func sumOf(b []byte) uint64       { return binary.LittleEndian.Uint64(b[16:]) }

// volumeOf names a volume after the port that serves it.
func volumeOf(port xseg.PortNo, n int) xseg.UUID { return xseg.UUID{1, uint8(port), uint8(n)} }

// leaf is a server without others behind it. Like a store it answers some requests at once and
// others later, out of order and off the loop; a few so late that their clients, or those that
// have passed them on, may be dead and have successors by then.
type leaf struct {
	led *ledger
}

// A successor needs some tens of milliseconds to come up.
const (
	holdLeast = 60 * time.Millisecond
	holdMost  = 180 * time.Millisecond
)

func delay() time.Duration {
	if rand.IntN(24) == 0 {
		return holdLeast + time.Duration(rand.IntN(int(holdMost-holdLeast)))
	}
	return time.Duration(rand.IntN(int(4 * time.Millisecond)))
}

func (l *leaf) serve(r *xseg.Request) {
	if r.Op() == opStat {
		answerStat(r)
		return
	}
	if rand.IntN(4) == 0 {
		l.work(r)
		r.RespondOnLoop(0, l.result(r))
		return
	}
	time.AfterFunc(delay(), func() {
		l.work(r)
		r.Respond(0, l.result(r))
	})
}

// work does what the request says.
func (l *leaf) work(r *xseg.Request) {
	r.SetPayloadLen(copy(r.Payload(), r.PayloadIn()))
	switch {
	case r.Op() == xseg.OpRead:
		xsegtest.Pattern(r.Data(), r.Offset())
	case r.Op() == xseg.OpWrite && len(r.PayloadIn()) >= stampSize && l.led != nil:
		in, v := r.PayloadIn(), r.Volume()
		if got := uint64(xsegtest.Sum(r.Data())); got != sumOf(in) {
			fail(l.led.dir, "client %d, life %d: a buffer of %d bytes changed under a write: sum %#x, was %#x",
				binary.LittleEndian.Uint32(in), binary.LittleEndian.Uint32(in[4:]), len(r.Data()), got, sumOf(in))
		}
		l.led.land(v[1], v[2], binary.LittleEndian.Uint32(in), binary.LittleEndian.Uint32(in[4:]))
	}
}

func (l *leaf) result(r *xseg.Request) uint64 {
	if r.Op() == xseg.OpWrite {
		return uint64(xsegtest.Sum(r.Data()))
	}
	return uint64(len(r.Data()))
}

func answerStat(r *xseg.Request) {
	fds, _ := os.ReadDir("/proc/self/fd")
	binary.LittleEndian.PutUint64(r.Payload(), uint64(runtime.NumGoroutine()))
	binary.LittleEndian.PutUint64(r.Payload()[8:], uint64(len(fds)))
	r.SetPayloadLen(16)
	r.RespondOnLoop(0, 0)
}

// leafRole: leaf PORT DIR.
func leafRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	led, err := openLedger(args[1])
	if err != nil {
		return err
	}
	l, err := s.NewLoop()
	if err != nil {
		return err
	}
	no, _ := strconv.Atoi(args[0])
	lf := &leaf{led: led}
	if _, err := l.Bind(ctx, xseg.PortNo(no), xseg.BindOptions{Role: "leaf", Handler: lf.serve}); err != nil {
		return err
	}
	sayServing()
	ready()
	return runAndClose(ctx, l, s)
}

// frontRole: front PORT TO passes requests on, pointing into the buffers that it was given.
func frontRole(ctx context.Context, s *xseg.Segment, args []string, ready func()) error {
	no, _ := strconv.Atoi(args[0])
	to, _ := strconv.Atoi(args[1])
	l, err := s.NewLoop()
	if err != nil {
		return err
	}
	f := &xsegtest.Forwarder{}
	serve := func(r *xseg.Request) {
		if r.Op() == opStat {
			answerStat(r)
		} else {
			f.Serve(r)
		}
	}
	p, err := l.Bind(ctx, xseg.PortNo(no), xseg.BindOptions{Role: "front", Handler: serve})
	if err != nil {
		return err
	}
	c, err := p.Connect(ctx, xseg.PortNo(to), xseg.ChannelOptions{Slots: 128, Wait: true})
	if err != nil {
		return err
	}
	f.Use(c)
	sayServing()
	ready()
	return runAndClose(ctx, l, s)
}

func runAndClose(ctx context.Context, l *xseg.Loop, s *xseg.Segment) error {
	if err := l.Run(ctx); err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	return s.Leave()
}
