package mapperd

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// Engine is a mapper.Mapper. Safe for use by many goroutines.
type Engine struct {
	cfg         Config
	store       mapfmt.StoreHeader
	incarnation [16]byte
	names       nameLocks

	ctx    context.Context // ends with Close: background work stops at its next step
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines under way

	mu      sync.RWMutex
	byUUID  map[mapfmt.UUID]*volume
	byName  map[string]*volume
	groups  map[[16]byte]time.Time    // of snapshots that are being made: when the last member was
	missing map[mapfmt.UUID]time.Time // volumes that were searched for in vain: since when
	closed  bool
}

var _ mapper.Mapper = (*Engine)(nil)

// New opens the store, or initialises a new one, and returns an engine that has nothing open. It
// blocks. The stores stay the caller's: Close doesn't close them.
func New(cfg Config) (*Engine, error) {
	cfg.setDefaults()
	if err := mapfmt.CheckNodeName(cfg.Node); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.PendingDir, 0o770); err != nil {
		return nil, fmt.Errorf("directory of pending logs: %w", err)
	}
	e := &Engine{cfg: cfg, byUUID: map[mapfmt.UUID]*volume{}, byName: map[string]*volume{}}
	if err := e.openStore(); err != nil {
		return nil, err
	}
	if err := e.openIncarnation(); err != nil {
		return nil, err
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.work.Go(e.tickUntilClosed)
	return e, nil
}

// Close waits for what is under way, stops background work and lets the pending logs lie for the
// next engine. It neither flushes nor releases locks: see CloseVolumes.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.work.Wait()
	for _, v := range e.openVolumes() {
		v.abandon()
	}
	return nil
}

// begin counts a goroutine that Close waits for; false if the engine is closed.
func (e *Engine) begin() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if !e.closed {
		e.work.Add(1)
	}
	return !e.closed
}

// Submit implements mapper.Mapper.
func (e *Engine) Submit(op *mapper.Op) {
	op.N, op.More, op.Err = 0, false, nil
	switch op.Kind {
	case mapper.MapRead, mapper.MapWrite, mapper.Commit:
		if v := e.lookup(op.Volume); v != nil {
			if n := v.try(op); n.what == needNothing {
				op.Done(op)
				return
			}
		}
	}
	if !e.begin() {
		op.Err = fmt.Errorf("mapper is closed: %w", mapper.ErrIO)
		op.Done(op)
		return
	}
	go func() {
		defer e.work.Done()
		begin := time.Now()
		op.Err = e.runMoved(op)
		e.logOp(op, begin)
		op.Done(op)
	}()
}

// run does an operation; it may block.
func (e *Engine) run(op *mapper.Op) error {
	switch op.Kind {
	case mapper.MapRead, mapper.MapWrite, mapper.Commit:
		return e.mapOp(op)
	case mapper.Open:
		return e.open(op)
	case mapper.Close:
		return e.close(op)
	case mapper.Flush:
		return e.flush(op)
	case mapper.Snapshot:
		return e.snapshot(op)
	case mapper.Clone:
		return e.clone(op)
	case mapper.InfoOf:
		return e.info(op)
	case mapper.List:
		return e.listVolumes(op)
	case mapper.Delete:
		return e.delete(op)
	case mapper.Rename:
		return e.rename(op)
	case mapper.Rollback:
		return e.rollback(op)
	case mapper.Resize:
		return e.resize(op)
	case mapper.SnapshotGroup:
		return e.snapshotGroup(op)
	case mapper.UsageOf:
		return e.usage(op)
	case mapper.Diff:
		return e.diff(op)
	case mapper.Acquire:
		return e.acquireLock(op)
	case mapper.Release:
		return e.releaseLock(op)
	}
	return fmt.Errorf("operation %d: %w", op.Kind, mapper.ErrArgument)
}

// lookup returns an open volume, or nil.
func (e *Engine) lookup(u mapfmt.UUID) *volume {
	e.mu.RLock()
	v := e.byUUID[u]
	e.mu.RUnlock()
	return v
}

func (e *Engine) lookupName(name string) *volume {
	e.mu.RLock()
	v := e.byName[name]
	e.mu.RUnlock()
	return v
}

func (e *Engine) publish(v *volume) {
	e.mu.Lock()
	e.byUUID[v.uuid], e.byName[v.name] = v, v
	e.mu.Unlock()
}

func (e *Engine) unpublish(v *volume) {
	e.mu.Lock()
	delete(e.byUUID, v.uuid)
	delete(e.byName, v.name)
	e.mu.Unlock()
}

func (e *Engine) openVolumes() []*volume {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]*volume, 0, len(e.byUUID))
	for _, v := range e.byUUID {
		all = append(all, v)
	}
	return all
}

func (e *Engine) tickUntilClosed() {
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case now := <-t.C:
			e.tick(now)
		}
	}
}

// tick starts the flush of volumes whose committed entries have become old, and forgets chunks that
// weren't used for long.
func (e *Engine) tick(now time.Time) {
	for _, v := range e.openVolumes() {
		if v.age(now) {
			v.flushSoon()
		}
	}
}
