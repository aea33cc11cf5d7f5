package mapperd

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// cuts lets one flush of a volume run at a time; who comes meanwhile joins the next, whose cut
// isn't taken yet.
type cuts struct {
	mu      sync.Mutex
	running bool
	idle    *sync.Cond // running became false
	next    *flushCall // nil: nobody waits
}

// flushCall is one flush that any number of callers wait for.
type flushCall struct {
	done chan struct{}
	err  error
}

// join returns the flush whose cut comes next, and whether the caller has to start the loop.
func (q *cuts) join() (call *flushCall, start bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == nil {
		q.next = &flushCall{done: make(chan struct{})}
	}
	start = !q.running
	q.running = true
	return q.next, start
}

// take returns the next call, or nil: the loop ends.
func (q *cuts) take() *flushCall {
	q.mu.Lock()
	defer q.mu.Unlock()
	call := q.next
	q.next = nil
	if call == nil {
		q.running = false
		if q.idle != nil {
			q.idle.Broadcast()
		}
	}
	return call
}

// wait returns when no flush runs.
func (q *cuts) wait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.idle == nil {
		q.idle = sync.NewCond(&q.mu)
	}
	for q.running {
		q.idle.Wait()
	}
}

// startIdle is join for a flush that nobody waits for; false if one runs already.
func (q *cuts) startIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running {
		return false
	}
	q.running = true
	q.next = &flushCall{done: make(chan struct{})}
	return true
}

// flush makes durable what was committed before it was called. It blocks.
func (e *Engine) flush(op *mapper.Op) error {
	for {
		v, err := e.find(op.Volume, op.Name, lockNone)
		if err != nil {
			return err
		}
		if err := v.flush(); !errors.Is(err, errClosed) {
			return err
		}
	}
}

// errClosed: the volume was closed meanwhile; look for it again.
var errClosed = errors.New("volume was closed")

// flush is for goroutines that Engine.Close waits for.
func (v *volume) flush() error {
	call, start := v.cuts.join()
	if start {
		v.e.work.Go(v.flushLoop)
	}
	<-call.done
	return call.err
}

// flushSoon starts a flush that nobody waits for, if none runs.
func (v *volume) flushSoon() {
	if !v.e.begin() {
		return // the log keeps what it has for the next process
	}
	if !v.cuts.startIdle() {
		v.e.work.Done()
		return
	}
	go func() {
		defer v.e.work.Done()
		v.flushLoop()
	}()
}

// flushLoop runs flushes until nobody waits for one.
func (v *volume) flushLoop() {
	for {
		call := v.cuts.take()
		if call == nil {
			return
		}
		call.err = v.flushOnce()
		close(call.done)
	}
}

// cut is what one flush makes durable: the values of the entries as they were when it was taken.
type cut struct {
	rec    *mapfmt.Record
	log    *pendingLog // at the cut; nil: none
	next   uint64      // number in the pending log after the last entry of the cut
	chunks []*cutChunk
	gone   []mapfmt.ObjectID
	pages  map[int64]*page // of the chunk table, as stored by the flush
	late   bool            // the pages come after the record: a planted fault
}

type cutChunk struct {
	*chunk
	values *mapfmt.Chunk // never changed: the volume copies it before its next commit
	dirty  bitmap
}

// takeCut copies what is committed and not stored; nil if the volume was closed: its record may be
// gone by now, and must not come back.
func (v *volume) takeCut() *cut {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	c := &cut{rec: v.rec, gone: v.gone, log: v.log}
	v.gone, v.cutting = nil, true
	if v.log != nil {
		c.next = v.log.next
	}
	for no, ch := range v.dirty {
		c.chunks = append(c.chunks, &cutChunk{chunk: ch, values: ch.entries, dirty: ch.dirty})
		ch.shared = true
		ch.dirty = bitmap{}
		delete(v.dirty, no)
	}
	sortChunks(c.chunks)
	return c
}

// flushOnce is one flush: cut, sync of the data, entries, record, trim.
func (v *volume) flushOnce() error {
	v.storing.Lock()
	defer v.storing.Unlock()
	start := time.Now()
	c := v.takeCut()
	if c == nil {
		return errClosed
	}
	rec, err := v.makeDurable(c)
	if v.endCut(c, rec, start, err) {
		v.growLog()
	}
	if err == nil {
		v.e.deleteObjects(c.gone)
	}
	if err != nil {
		v.e.cfg.Log.Warn("flush failed", "volume", v.name, "error", err)
	}
	return v.errorf("flush", err)
}

// makeDurable returns the record as stored afterwards.
func (v *volume) makeDurable(c *cut) (*mapfmt.Record, error) {
	// The data first: an entry on the storage must not name what a power cut could take away. A
	// failed sync fails the flush, now and until the object was written anew.
	if err := v.syncData(); err != nil {
		return c.rec, err
	}
	if v.e.cfg.faults.recordBeforeChunk {
		rec, err := v.storeTable(c)
		return rec, errors.Join(err, v.storeChunks(c))
	}
	if err := v.storeChunks(c); err != nil {
		return c.rec, err
	}
	return v.storeTable(c)
}

func (v *volume) syncData() error {
	if v.e.cfg.faults.skipDataSync {
		return nil
	}
	op := blocker.Op{Kind: blocker.Sync, Volume: v.uuid, Term: v.e.cfg.Term}
	if err := blocker.Do(v.e.cfg.Blocks, &op); err != nil {
		return objectError("data", fmt.Errorf("sync data: %w", err))
	}
	return nil
}

// storeTable writes the record if chunks, or pages of the chunk table, were stored under a new owner.
func (v *volume) storeTable(c *cut) (*mapfmt.Record, error) {
	c.late = v.e.cfg.faults.pageLast
	rows, err := v.storePages(c)
	if err != nil {
		return c.rec, err
	}
	own := mapfmt.Owner{UUID: v.uuid, Epoch: c.rec.Epoch}
	rec := c.rec
	for _, row := range rows {
		if rec.Table[row] == own {
			continue
		}
		if rec == c.rec {
			rec = rec.Clone()
		}
		rec.Table[row] = own
	}
	if rec == c.rec {
		return rec, nil
	}
	rec.Modified = time.Now().Unix()
	if err := v.e.writeRecord(v.name, rec); err != nil {
		return c.rec, err
	}
	if v.e.cfg.faults.pageLast {
		c.late = false
		_, err = v.storePages(c)
	}
	return rec, err
}

// endCut trims the log, or takes the cut back if the flush has failed. It says whether the log was
// so full that a larger one would mean fewer flushes.
func (v *volume) endCut(c *cut, rec *mapfmt.Record, start time.Time, err error) (grow bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cutting = false
	for _, ch := range c.chunks {
		if ch.entries == ch.values {
			ch.shared = false
		}
		if err != nil {
			ch.chunk.dirty.add(&ch.dirty)
			v.dirty[ch.no] = ch.chunk
		}
	}
	if err != nil {
		v.gone = append(c.gone, v.gone...)
		return false
	}
	v.rec = rec
	for no, p := range c.pages {
		v.pages[no] = p
	}
	v.oldest = start // what is left is younger
	// A log that was made since the cut holds nothing of it, and has other numbers. One that has only
	// grown since has the same.
	if v.log == nil || c.log == nil || v.log.series != c.log.series {
		return false
	}
	grow = v.log.isHalfFull()
	v.log.trim(c.next)
	return grow
}
