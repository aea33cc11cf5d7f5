package vlmcd

import (
	"bytes"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/internal/mapfmt"
	volumes "archipelago/internal/volume"
	"archipelago/xseg"
)

// traceWorld is an engine whose stores answer within Submit, with timers that the test fires.
func traceWorld(t testing.TB, w *world) (e *Engine, op *Op, timers *[]func()) {
	info := w.maps.create("v", 64<<20, mapfmt.DefaultObjectSize)
	timers = new([]func())
	e = New(Config{Mapper: instant{w.maps}, Blocks: silent{w.store},
		After: func(_ time.Duration, f func()) { *timers = append(*timers, f) }})
	op = &Op{Volume: info.UUID, Name: []byte("v"), Data: make([]byte, 4096), Done: func(*Op) {}}
	return e, op, timers
}

// TestTrace: from the moment that somebody asks, each request is there once, with what it was, how
// it ended, and phases that add up to its latency.
func TestTrace(t *testing.T) {
	e, op, _ := traceWorld(t, newWorld(t, 1))
	op.Kind, op.Offset = Write, 8192
	e.Submit(op) // before
	records, next := e.Traced(op.Volume, 0, 100)
	if len(records) != 0 || next == 0 {
		t.Fatalf("%d records before anybody asked, next %d", len(records), next)
	}
	op.Offset, op.Flags = 5<<20, FlagFUA
	e.Submit(op)
	op.Kind, op.Flags = Read, 0
	e.Submit(op)
	op.Kind, op.Offset = Write, 64<<20
	e.Submit(op)
	records, next = e.Traced(op.Volume, next, 100)
	if len(records) != 3 {
		t.Fatalf("%d records", len(records))
	}
	for i, want := range []volumes.TraceRecord{
		{Op: xseg.OpWrite, Flags: xseg.ReqFUA, Offset: 5 << 20, Length: 4096},
		{Op: xseg.OpRead, Offset: 5 << 20, Length: 4096},
		{Op: xseg.OpWrite, Offset: 64 << 20, Length: 4096, Errno: syscall.ENOSPC},
	} {
		r := &records[i]
		if r.Op != want.Op || r.Flags != want.Flags || r.Offset != want.Offset || r.Length != want.Length || r.Errno != want.Errno {
			t.Errorf("%+v, want %+v", r, want)
		}
		var sum time.Duration
		for _, d := range r.Spent {
			sum += d
		}
		if sum != r.Latency || r.Latency <= 0 {
			t.Errorf("%s: phases sum up to %v of %v", r.OpName(), sum, r.Latency)
		}
	}
	// A first write reserves and commits, and with FUA it flushes; a read does none of these.
	for _, p := range []volumes.Phase{phaseReserve, phaseCommit, phaseFlush} {
		if records[0].Spent[p] <= 0 || records[1].Spent[p] != 0 {
			t.Errorf("%v: %v in the write, %v in the read", p, records[0].Spent[p], records[1].Spent[p])
		}
	}
	if again, _ := e.Traced(op.Volume, next, 100); len(again) != 0 {
		t.Errorf("%d records twice", len(again))
	}
}

// TestTraceOverflow: what was overwritten is missing, and the numbers tell.
func TestTraceOverflow(t *testing.T) {
	e, op, _ := traceWorld(t, newWorld(t, 1))
	op.Kind = Read
	_, first := e.Traced(op.Volume, 0, 100)
	for range tracedMax + 10 {
		e.Submit(op)
	}
	records, next := e.Traced(op.Volume, first, 100)
	if len(records) != 100 || records[0].Number != first+10 || next != records[99].Number+1 {
		t.Errorf("%d records from %d, next %d", len(records), records[0].Number, next)
	}
}

// TestTraceEnds: nobody asks, nothing is recorded, and the memory goes.
func TestTraceEnds(t *testing.T) {
	e, op, timers := traceWorld(t, newWorld(t, 1))
	e.Traced(op.Volume, 0, 1)
	v := e.volumes[op.Volume]
	end := (*timers)[0]
	end()
	if v.tracer == nil || len(*timers) != 2 {
		t.Fatal("disarmed although somebody has just asked")
	}
	v.tracer.asked = time.Now().Add(-2 * tracePatience)
	(*timers)[1]()
	if v.tracer != nil || e.volumes[op.Volume] != nil {
		t.Error("still armed, or the volume is remembered for it")
	}
	op.Kind = Read
	e.Submit(op)
	if op.Err != nil || op.trace != nil {
		t.Error("traced afterwards", op.Err)
	}
}

// TestTraceAllocatesNothing: neither without tracing nor, once it is armed, with it.
func TestTraceAllocatesNothing(t *testing.T) {
	e, op, _ := traceWorld(t, newWorld(t, 1))
	for _, armed := range []bool{false, true} {
		for _, op.Kind = range []Kind{Write, Read} {
			if armed {
				e.Traced(op.Volume, 0, 1)
			}
			e.Submit(op)
			if n := testing.AllocsPerRun(100, func() { e.Submit(op) }); n != 0 || op.Err != nil {
				t.Errorf("armed %v, kind %d: %v allocations, %v", armed, op.Kind, n, op.Err)
			}
		}
	}
}

// TestSlowRequests: one that waits is told of once, with what it waits for, and when it has ended.
func TestSlowRequests(t *testing.T) {
	var out bytes.Buffer
	var timers []func()
	l := slowLog{log: slog.New(slog.NewTextHandler(&out, nil)), after: func(_ time.Duration, f func()) { timers = append(timers, f) }}
	now := monotonic()
	job := func(kind Kind, age time.Duration) *job {
		j := &job{Op: Op{Kind: kind, Name: []byte("v"), Received: now - int64(age)}}
		l.add(j)
		return j
	}
	old := job(Write, 3*time.Second)
	old.waits = phaseWait
	work := job(Flatten, 2*time.Second)
	middle := job(Read, time.Millisecond)
	if len(timers) != 1 {
		t.Fatalf("%d timers", len(timers))
	}
	timers[0]()
	timers[1]()
	text := out.String()
	if strings.Count(text, "request is slow") != 1 || !strings.Contains(text, "op=write") || !strings.Contains(text, "waits_for=wait") {
		t.Errorf("%s", text)
	}
	l.remove(middle)
	l.remove(old)
	l.remove(work)
	if strings.Count(out.String(), "slow request has ended") != 1 || l.head != nil || l.tail != nil {
		t.Errorf("%s", out.String())
	}
	timers[2]()
	if len(timers) != 3 {
		t.Error("it looks although nothing is under way")
	}
}
