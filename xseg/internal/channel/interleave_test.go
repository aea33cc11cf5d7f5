package channel

import (
	"fmt"
	"iter"
	"os"
	"testing"
	"unsafe"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/step"
)

// This test runs the real code of both ends in all interleavings (with a bounded number of
// preemptions), with the server killed at every step, and checks that every request ends exactly
// once: with the answer to itself, or cancelled and never begun.

// actor is one end, stopped at each of its steps.
type actor struct {
	next  func() (func() bool, bool)
	stop  func()
	ready func() bool // nil: it can go on
	ended bool
}

// killed unwinds an actor that was stopped for good.
type killed struct{}

// start makes an actor of f, which calls wait where it must wait for something.
func start(f func(wait func(func() bool))) *actor {
	a := &actor{}
	a.next, a.stop = iter.Pull(func(yield func(func() bool) bool) {
		defer func() {
			if r := recover(); r != nil && r != any(killed{}) {
				panic(r)
			}
		}()
		wait := func(cond func() bool) {
			if !yield(cond) {
				panic(killed{})
			}
		}
		a.hook(wait)
		f(wait)
	})
	return a
}

var hooks = map[*actor]func(){}

func (a *actor) hook(wait func(func() bool)) { hooks[a] = func() { wait(nil) } }

func (a *actor) runnable() bool { return !a.ended && (a.ready == nil || a.ready()) }

func (a *actor) run() {
	step.Hook = func(string) { hooks[a]() }
	cond, ok := a.next()
	step.Hook = nil
	a.ready, a.ended = cond, !ok
}

func (a *actor) kill() {
	a.stop()
	a.ended = true
	delete(hooks, a)
}

// world is a channel of two slots with both its ends.
type world struct {
	view      View
	faults    faults
	down      bool            // the server is dead, its successor says that nothing runs
	began     map[uint64]int  // per request: how often a server began it
	ended     map[uint64]int  // how often the submitter took its answer
	cancelled map[uint64]bool // taken back
	problem   string
	submitter *actor
	server    *actor
}

// faults are ways to break the code, to see that the test would notice.
type faults struct {
	reuseCancelled bool // a cancelled slot is used again before its ring entry was read
	bitFirst       bool // the bit is set before the state
	keepGeneration bool // a request is pushed again under its old generation, the ring not reset
}

func newWorld(f faults) *world {
	n := Size(2)
	mem := make([]byte, n+abi.PageSize)
	skip := -uintptr(unsafe.Pointer(&mem[0])) % abi.PageSize
	w := &world{faults: f, began: map[uint64]int{}, ended: map[uint64]int{}, cancelled: map[uint64]bool{}}
	w.view = Open(mem[skip:skip+uintptr(n)], 0, 2)
	w.view.Init()
	w.submitter, w.server = start(w.submit), start(w.serve)
	return w
}

func (w *world) fail(format string, args ...any) {
	if w.problem == "" {
		w.problem = fmt.Sprintf(format, args...)
	}
}

// call is the submitter's private record of a slot.
type call struct {
	request    uint64 // 0 = free
	generation uint64
	ringAt     uint32
}

// submit sends request 1 and 2, takes 1 back if it can, sends 3 in its place, and waits for all.
func (w *world) submit(wait func(func() bool)) {
	var calls [2]call
	var tail uint32
	push := func(i uint32, request uint64) {
		c := &calls[i]
		c.request, c.ringAt = request, tail
		c.generation++
		w.view.Slot(i).Offset = request
		w.view.Stage(i, c.generation, tail)
		tail++
		w.view.Publish(tail)
	}
	push(0, 1)
	push(1, 2)
	left := map[uint64]bool{1: true, 2: true, 3: true}
	if w.view.Cancel(0, calls[0].generation) {
		w.cancelled[1] = true
		delete(left, 1)
		at := calls[0].ringAt
		passed := func() bool { return w.faults.reuseCancelled || w.down || int32(w.view.Head()-at) > 0 }
		wait(passed)
		w.view.Free(0, calls[0].generation)
		calls[0].request = 0
	}
	for len(left) != 0 {
		if calls[0].request == 0 && left[3] && w.ended[3] == 0 {
			push(0, 3)
		}
		wait(func() bool { return w.view.AnyDone() || w.down })
		take := func(i uint32) {
			c := &calls[i]
			if c.request == 0 || !w.view.IsDone(i, c.generation) {
				return
			}
			if got := w.view.Slot(i).Serviced; got != c.request {
				w.fail("request %d got the answer to %d", c.request, got)
			}
			w.ended[c.request]++
			delete(left, c.request)
			c.request = 0
			w.view.Free(i, c.generation)
		}
		w.view.Completed(take)
		if w.down {
			w.renew(calls[:], &tail, take)
		}
	}
}

// renew is what the submitter does for a successor.
func (w *world) renew(calls []call, tail *uint32, take func(uint32)) {
	for i := range calls { // killed before it set the bit, perhaps
		take(uint32(i))
	}
	hook := step.Hook
	step.Hook = nil // the submitter lives: its steps here are one, as nobody serves
	if !w.faults.keepGeneration {
		w.view.Rewind()
		*tail = 0
	}
	for i := range calls {
		c := &calls[i]
		if c.request == 0 {
			continue
		}
		if !w.faults.keepGeneration {
			c.generation++
		}
		c.ringAt = *tail
		w.view.Stage(uint32(i), c.generation, *tail)
		*tail++
	}
	w.view.Publish(*tail)
	step.Hook = hook
	w.down = false
	w.server = start(w.serve)
}

// serve answers each request with its own number.
func (w *world) serve(wait func(func() bool)) {
	head := uint32(0)
	for {
		wait(func() bool { return w.view.Tail() != head })
		n := w.view.Tail() - head
		if n > w.view.Len() {
			w.fail("%d entries in a ring of %d", n, w.view.Len())
			return
		}
		for range n {
			slot, generation := w.view.Entry(head)
			head++
			word, ok := w.view.Begin(slot, generation)
			if !ok {
				continue
			}
			s := w.view.Slot(slot)
			w.began[s.Offset]++
			s.Serviced = s.Offset
			if w.faults.bitFirst {
				w.view.Announce(0, 1<<slot)
				w.view.End(slot, word)
				continue
			}
			w.view.End(slot, word)
			w.view.Announce(0, 1<<slot)
		}
		w.view.SetHead(head)
	}
}

// play runs one schedule: at every point the present actor goes on, unless choices say otherwise.
// It returns how many points there were.
type choice struct {
	at   int
	kill bool // kill the server; else switch to the other actor
}

func (w *world) play(choices []choice) (points int) {
	current := w.submitter
	for ; w.problem == "" && points < 200; points++ {
		if len(choices) != 0 && choices[0].at == points {
			if choices[0].kill {
				w.server.kill()
				w.down = true
			}
			current = w.other(current)
			choices = choices[1:]
		}
		if current.ended && current != w.submitter {
			current = w.server
		}
		if !current.runnable() {
			current = w.other(current)
		}
		if !current.runnable() {
			break
		}
		current.run()
	}
	w.judge()
	w.submitter.kill()
	w.server.kill()
	return points
}

func (w *world) other(a *actor) *actor {
	if a == w.submitter {
		return w.server
	}
	return w.submitter
}

func (w *world) judge() {
	if w.problem == "" && !w.submitter.ended {
		w.fail("a request never ends")
	}
	for r := uint64(1); r <= 3; r++ {
		switch {
		case w.cancelled[r] && (w.began[r] != 0 || w.ended[r] != 0):
			w.fail("request %d was taken back, but begun %d times", r, w.began[r])
		case !w.cancelled[r] && w.ended[r] != 1:
			w.fail("request %d ended %d times", r, w.ended[r])
		}
	}
}

// explore plays all schedules with up to switches preemptions and one death, and returns the
// first problem.
func explore(f faults, switches int) (schedules int, problem string) {
	type plan struct {
		choices  []choice
		switches int
		killed   bool
	}
	todo := []plan{{}}
	for len(todo) != 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		w := newWorld(f)
		points := w.play(p.choices)
		schedules++
		if w.problem != "" {
			return schedules, fmt.Sprintf("%s, with %+v", w.problem, p.choices)
		}
		from := 0
		if n := len(p.choices); n != 0 {
			from = p.choices[n-1].at + 1
		}
		for at := from; at < points; at++ {
			more := func(c choice) []choice { return append(p.choices[:len(p.choices):len(p.choices)], c) }
			if p.switches < switches {
				todo = append(todo, plan{more(choice{at, false}), p.switches + 1, p.killed})
			}
			if !p.killed {
				todo = append(todo, plan{more(choice{at, true}), p.switches, true})
			}
		}
	}
	return schedules, ""
}

func TestInterleavings(t *testing.T) {
	switches := 2
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		switches = 4
	}
	schedules, problem := explore(faults{}, switches)
	t.Logf("%d schedules", schedules)
	if problem != "" || schedules < 5000 {
		t.Fatalf("%d schedules: %s", schedules, problem)
	}
}

func TestInterleavingsFindFaults(t *testing.T) {
	for name, f := range map[string]faults{
		"cancelled slot reused":  {reuseCancelled: true},
		"bit before state":       {bitFirst: true},
		"pushed again as it was": {keepGeneration: true},
	} {
		if n, problem := explore(f, 2); problem == "" {
			t.Errorf("%s: no problem in %d schedules", name, n)
		} else {
			t.Logf("%s: schedule %d: %s", name, n, problem)
		}
	}
}
