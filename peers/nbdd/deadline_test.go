package nbdd

import (
	"testing"
	"time"
)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestDeadline: it may be set again and again, by anybody, before and after it has come.
func TestDeadline(t *testing.T) {
	var d deadline
	waiting := d.passed()
	if d.isOver() || isClosed(waiting) {
		t.Fatal("over before it was set")
	}
	d.set(time.Now().Add(time.Hour))
	if d.isOver() || isClosed(waiting) {
		t.Error("over an hour early")
	}
	d.set(longAgo) // who waits already goes by the new time
	if !d.isOver() || !isClosed(waiting) || !isClosed(d.passed()) {
		t.Error("not over when it had come")
	}
	d.set(longAgo)
	d.set(time.Time{})
	if d.isOver() || isClosed(d.passed()) {
		t.Error("still over when it was taken back")
	}
	d.set(time.Now().Add(time.Millisecond))
	select {
	case <-d.passed():
	case <-time.After(patience):
		t.Error("never came")
	}
}

// TestDeadlineThatWasReplaced: a timer that was stopped too late ends nothing.
func TestDeadlineThatWasReplaced(t *testing.T) {
	var d deadline
	d.set(time.Now().Add(time.Hour))
	old := d.turn
	d.set(time.Now().Add(2 * time.Hour))
	d.come(old)
	if d.isOver() {
		t.Error("the timer of an older deadline has ended the newer one")
	}
	d.set(time.Time{})
}
