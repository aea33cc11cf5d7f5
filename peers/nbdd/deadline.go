package nbdd

import (
	"sync"
	"time"
)

// deadline ends waits when its time has come. Any goroutine; the zero value never comes.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  chan struct{} // closed when it has come; nil: nobody has asked yet
	late  bool
	turn  int // raised by set: a timer that was stopped too late is of an older turn
}

// set sets the time; zero: never. Who waits already goes by the new one.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.late { // those who waited were told
		d.late, d.over = false, nil
	}
	if t.IsZero() {
		return
	}
	if left := time.Until(t); left > 0 {
		turn := d.turn
		d.timer = time.AfterFunc(left, func() { d.come(turn) })
		return
	}
	d.end()
}

func (d *deadline) come(turn int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if turn == d.turn {
		d.end()
	}
}

// end says that the time has come. Under mu.
func (d *deadline) end() {
	d.late = true
	if d.over != nil {
		close(d.over)
	}
}

// isOver tells whether the time has come.
func (d *deadline) isOver() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.late
}

// passed is closed when the time comes.
func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over == nil {
		d.over = make(chan struct{})
		if d.late {
			close(d.over)
		}
	}
	return d.over
}
