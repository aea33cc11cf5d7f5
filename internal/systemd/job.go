package systemd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// jobTable brings the replies that name jobs together with the signals that end them.
type jobTable struct {
	mu      sync.Mutex
	asking  int // calls whose reply isn't known yet
	waiting map[dbus.ObjectPath]chan string
	early   map[dbus.ObjectPath]string // ended jobs whose reply may still come
}

// ask says that a call is about to be made whose reply names a job.
func (t *jobTable) ask() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking++
}

// told says that the reply of a call is there: "" if it names no job. The channel gets the result.
func (t *jobTable) told(job dbus.ObjectPath) <-chan string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking--
	result := make(chan string, 1)
	if early, ok := t.early[job]; ok {
		result <- early
	} else if job != "" {
		if t.waiting == nil {
			t.waiting = map[dbus.ObjectPath]chan string{}
		}
		t.waiting[job] = result
	}
	if t.asking == 0 {
		// Jobs of others, and those claimed: no reply that names them is under way any more.
		t.early = nil
	}
	return result
}

// end notes that a job has ended.
func (t *jobTable) end(job dbus.ObjectPath, result string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, ok := t.waiting[job]; ok {
		delete(t.waiting, job)
		w <- result
		return
	}
	if t.asking > 0 {
		if t.early == nil {
			t.early = map[dbus.ObjectPath]string{}
		}
		t.early[job] = result
	}
}

// forget says that nobody waits for a job any more.
func (t *jobTable) forget(job dbus.ObjectPath) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, job)
}

// Start starts a unit and waits until it is up; success if it is already. The error says which
// unit it is about: JobError, ErrNoUnit, ErrMasked, ErrDenied, ErrLost, or ErrTimeout when ctx ends
// first (the job goes on then).
func (m *Manager) Start(ctx context.Context, unit string) error {
	return m.run(ctx, "start", "StartUnit", unit)
}

// Stop stops a unit and waits until it is down; success if it is already. Errors as of Start.
func (m *Manager) Stop(ctx context.Context, unit string) error {
	return m.run(ctx, "stop", "StopUnit", unit)
}

// Restart stops and starts a unit, or starts it if it is down, and waits until it is up. Errors as
// of Start.
func (m *Manager) Restart(ctx context.Context, unit string) error {
	return m.run(ctx, "restart", "RestartUnit", unit)
}

// ResetFailed forgets that a unit has failed. Of one that has not: success.
func (m *Manager) ResetFailed(ctx context.Context, unit string) error {
	err := m.call(ctx, object, manager+".ResetFailedUnit", nil, unit)
	if errors.Is(err, ErrNoUnit) {
		return nil // not in memory: then it hasn't failed
	}
	return about("reset", unit, err)
}

// run makes a job and waits for its end.
func (m *Manager) run(ctx context.Context, verb, method, unit string) error {
	var job dbus.ObjectPath
	m.jobs.ask()
	err := m.call(ctx, object, manager+"."+method, []any{&job}, unit, "replace")
	result := m.jobs.told(job)
	if err != nil {
		return about(verb, unit, err)
	}
	select {
	case r := <-result:
		return m.judge(verb, unit, r)
	case <-m.lost:
		return about(verb, unit, ErrLost)
	case <-ctx.Done():
		m.jobs.forget(job)
		if errors.Is(ctx.Err(), context.Canceled) {
			return about(verb, unit, ctx.Err())
		}
		return about(verb, unit, fmt.Errorf("%w; the job goes on", classify(ctx.Err())))
	}
}

// lookAfter bounds the look at a unit whose job has failed: it only explains.
const lookAfter = 2 * time.Second

// judge turns the result of a job into an error.
func (m *Manager) judge(verb, unit, result string) error {
	if result == "done" || result == "skipped" {
		return nil
	}
	// A context of its own: that of the caller may be about to end.
	ctx, cancel := context.WithTimeout(context.Background(), lookAfter)
	defer cancel()
	state, err := m.Unit(ctx, unit)
	if err != nil {
		state = nil
	}
	return &JobError{Verb: verb, Unit: unit, Result: result, State: state}
}

func about(verb, unit string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", verb, unit, err)
}
