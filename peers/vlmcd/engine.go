package vlmcd

import (
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

// Config is what an engine needs.
type Config struct {
	// Mapper and Blocks are called, and MUST call back, on the engine's thread.
	Mapper mapper.Mapper
	Blocks blocker.Store
	// After runs f on the engine's thread when d has passed.
	After func(d time.Duration, f func())
	// Route says which port serves a volume and whether that is this engine. nil: this one.
	Route func(UUID) (port uint32, here bool)
	// Claim gives a volume a row of counters. nil: no rows.
	Claim func(u UUID, name string, size int64) (*xseg.VolumeRow, error)
	// IdleRow is how long a volume must have been idle to lose its row to another one. 0 = 1 min.
	IdleRow time.Duration
	// Unmetered, if set, is told of a volume that is served without a row.
	Unmetered func(name string, cause error)
	// Inherited are the rows of volumes that a predecessor served: the engine goes on with them.
	Inherited []*xseg.VolumeRow
	// CopyUpRate is how many bytes per second are copied in the background to complete objects that
	// were copied on write in part. 0 = none.
	CopyUpRate int64
	// MaxFreeze is how long a Freeze lasts whose Snapshot doesn't come. 0 = 2 s.
	MaxFreeze time.Duration
	// MaxParked is how many operations and pieces wait per volume before further operations get
	// ErrAgain. 0 = 4096, which is more than the slots of any channel.
	MaxParked int
	// MaxPages bounds the memory for translations: pages of 64 entries, for all volumes together;
	// a page of a full volume takes 15 to 30 KiB. 0 = 1024.
	MaxPages int
}

// Tuning.
const (
	defaultMaxParked = 4096
	defaultMaxPages  = 1024
	defaultMaxFreeze = 2 * time.Second
	// maxPieces is how many pieces of one operation are under way: those of the largest request
	// that carries data go out together, and a discard of a whole volume takes bounded memory.
	maxPieces = 66
	// maxFlattening is the same for Flatten, each piece of which copies an object: few, so that
	// the volume's other requests don't wait behind them at the storage.
	maxFlattening = 2
	// maxTries ends a piece with EIO that has met a stale answer so often in a row.
	maxTries = 8
	// First and longest wait before the mapper is asked again after "not now".
	minBackoff = time.Millisecond
	maxBackoff = 128 * time.Millisecond
)

// Engine composes the volumes of one thread. Not safe for use by several threads.
type Engine struct {
	cfg     Config
	volumes map[UUID]*volume
	rows    map[UUID]*xseg.VolumeRow // see meter.go
	renamed map[UUID]string          // the names of volumes that were renamed here
	pages   []*page                  // all of them, for eviction
	hand    int                      // next to be looked at for eviction
	guests  []*volume                // open, and uncached

	// What has happened and wasn't looked at yet.
	running  bool
	calls    *call
	lastCall *call
	asked    *question
	lastAsk  *question
	runnable pieceList
	accepted opList

	copyUps  copyUps
	underWay int    // calls and questions that are not looked at yet
	stopping bool   // see Stop
	rested   func() // what Stop was given, until it has run

	// What is kept for the next use.
	freePieces  *piece
	freeCalls   *call
	freeAsks    *question
	freeEntries [][]mapfmt.Entry
}

// New makes an engine. The volumes open by themselves.
func New(cfg Config) *Engine {
	if cfg.MaxParked == 0 {
		cfg.MaxParked = defaultMaxParked
	}
	if cfg.MaxPages == 0 {
		cfg.MaxPages = defaultMaxPages
	}
	if cfg.MaxFreeze == 0 {
		cfg.MaxFreeze = defaultMaxFreeze
	}
	if cfg.IdleRow == 0 {
		cfg.IdleRow = defaultIdleRow
	}
	if cfg.Route == nil {
		cfg.Route = func(UUID) (uint32, bool) { return 0, true }
	}
	e := &Engine{cfg: cfg, volumes: map[UUID]*volume{}, renamed: map[UUID]string{},
		rows: map[UUID]*xseg.VolumeRow{}}
	for _, row := range cfg.Inherited {
		e.rows[row.UUID()] = row
	}
	return e
}

// Submit begins an operation. It doesn't block; Done may run before it returns.
func (e *Engine) Submit(op *Op) {
	op.Err, op.Info, op.Copied, op.opState = nil, mapper.Info{}, 0, opState{}
	e.accepted.push(op)
	e.run()
}

// run handles what has happened, until nothing is left. Whoever adds an event calls it: inside a
// run that only leaves the event for the loop below, so that no handler meets a state that another
// one is changing.
func (e *Engine) run() {
	if e.running {
		return
	}
	e.running = true
	for e.runOne() || e.closeUncached() {
	}
	e.running = false
	if e.stopping {
		e.rest()
	}
}

// runOne handles one event. Answers come before new work: they free what new work may wait for.
func (e *Engine) runOne() bool {
	if c := e.nextCall(); c != nil {
		e.callDone(c)
		return true
	}
	if q := e.nextAnswer(); q != nil {
		then := q.then
		then(e, q)
		e.freeQuestion(q)
		return true
	}
	if p := e.runnable.pop(); p != nil {
		e.translate(p)
		return true
	}
	if op := e.accepted.pop(); op != nil {
		e.accept(op)
		return true
	}
	return false
}

func (e *Engine) accept(op *Op) {
	if e.stopping {
		return
	}
	switch op.Kind {
	case Read, Write, WriteZeroes, Discard, Flatten, Flush:
		e.acceptIO(op)
	case Open, Info:
		e.ask(question{then: (*Engine).infoAnswered, client: op,
			Op: mapper.Op{Kind: infoKinds[op.Kind], Volume: op.Volume, Name: string(op.Name)}})
	case Close, Snapshot, Delete, Rename, Rollback, Resize, Freeze, Thaw, Acquire, Release:
		e.acceptChange(op)
	default:
		e.finish(op, mapper.ErrArgument)
	}
}

var infoKinds = [...]mapper.Kind{Open: mapper.Open, Info: mapper.InfoOf}

func (e *Engine) infoAnswered(q *question) {
	op := q.client
	if q.Err == nil {
		op.Info = q.Info
		op.Info.Port, _ = e.cfg.Route(q.Info.UUID)
	}
	e.finish(op, q.Err)
}

// finish ends an operation.
func (e *Engine) finish(op *Op, err error) {
	if err != nil && op.Err == nil {
		op.Err = err
	}
	if op.trace != nil {
		op.vol.traceEnd(op)
	}
	op.meterEnd()
	op.vol = nil
	op.Done(op)
}
