package filed

import (
	"math"
	"sync"
)

// wholeFile is the end of a span that holds every block, also those to come.
const wholeFile = math.MaxInt64

// span is a range of bytes, of whole blocks, that a write locks.
type span struct {
	from, to  int64
	exclusive bool
}

func (a span) conflicts(b span) bool {
	return (a.exclusive || b.exclusive) && a.from < b.to && b.from < a.to
}

// spans is a lock on ranges of a file. Who comes first gets it first: a span waits for all earlier
// ones that it conflicts with, whether they hold theirs or wait. Its zero value is unlocked.
type spans struct {
	mu    sync.Mutex
	moved sync.Cond // one was given back
	list  []*spanLock
}

type spanLock struct {
	span
	owner *spans
}

// lock waits for a span, and returns what gives it back.
func (s *spans) lock(want span) (unlock func()) {
	l := &spanLock{want, s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved.L = &s.mu
	s.list = append(s.list, l)
	for s.isBlocked(l) {
		s.moved.Wait()
	}
	return l.unlock
}

func (s *spans) isBlocked(l *spanLock) bool {
	for _, other := range s.list {
		if other == l {
			return false
		}
		if other.conflicts(l.span) {
			return true
		}
	}
	return false
}

func (l *spanLock) unlock() {
	s := l.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.list {
		if other == l {
			s.list = append(s.list[:i], s.list[i+1:]...)
			break
		}
	}
	s.moved.Broadcast()
}
