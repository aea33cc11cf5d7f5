package vlmcd

import (
	"time"

	volumes "archipelago/internal/volume"
	"archipelago/peers/mapper"
	mappers "archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// Traced arms the tracing of a volume, or goes on with it, and returns the records from a number
// on, at most limit, and the number to ask for next. What was overwritten meanwhile is missing. from
// 0, or one that this engine never gave, means from now on.
func (e *Engine) Traced(u UUID, from uint64, limit int) (records []volumes.TraceRecord, next uint64) {
	v := e.volumeOf(u)
	t := v.tracer
	if t == nil {
		t = e.arm(v)
	}
	t.asked = time.Now()
	if from == 0 || from > t.next {
		return nil, t.next
	}
	if size := uint64(len(t.ring)); t.next > size {
		from = max(from, t.next-size)
	}
	for ; from < t.next && len(records) < limit; from++ {
		records = append(records, t.ring[from%uint64(len(t.ring))])
	}
	return records, from
}

// arm begins to trace a volume. What is under way isn't recorded: it is unknown what it waited for.
func (e *Engine) arm(v *volume) *tracer {
	t := &tracer{ring: make([]volumes.TraceRecord, tracedMax), next: 1}
	v.tracer = t
	e.disarmLater(v, t, tracePatience)
	return t
}

// disarmLater ends the tracing when nobody has asked for a while.
func (e *Engine) disarmLater(v *volume, t *tracer, d time.Duration) {
	e.cfg.After(d, func() {
		if left := tracePatience - time.Since(t.asked); left > 0 {
			e.disarmLater(v, t, left)
			return
		}
		v.tracer = nil
		e.event(func() { e.forget(v) })
	})
}

// trace answers a request for the records of a volume.
func (s *server) trace(r *xseg.Request) {
	u := r.Volume()
	if port, here := s.engine.cfg.Route(u); !here {
		info := mapper.Info{UUID: u, Port: port}
		mappers.PutInfo(r.Payload(), &info)
		r.SetPayloadLen(mappers.InfoBytes)
		r.RespondOnLoop(errStale, 0)
		return
	}
	room := volumes.TraceAtOnce * len(r.Data()) / volumes.TraceRoom
	records, next := s.engine.Traced(u, r.Offset(), min(room, volumes.TraceAtOnce))
	b := r.Data()[:0]
	for i := range records {
		b = volumes.AppendTrace(b, &records[i])
	}
	volumes.PutTraceNext(r.Payload(), next)
	r.SetPayloadLen(volumes.TraceNextBytes)
	r.RespondOnLoop(0, uint64(len(b)))
}
