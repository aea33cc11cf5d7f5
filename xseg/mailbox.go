package xseg

import (
	"sync"
	"sync/atomic"
)

// mailbox carries functions from any goroutine to the loop.
type mailbox struct {
	mu   sync.Mutex
	in   []func()
	full atomic.Bool // hint: in isn't empty
	out  []func()    // the loop's; swapped with in, so that posting doesn't allocate for long
}

func (m *mailbox) put(f func()) {
	m.mu.Lock()
	m.in = append(m.in, f)
	m.full.Store(true)
	m.mu.Unlock()
}

// run calls what was put so far; false if there was nothing. Loop.
func (m *mailbox) run() bool {
	if !m.full.Load() {
		return false
	}
	m.mu.Lock()
	m.in, m.out = m.out[:0], m.in
	m.full.Store(false)
	m.mu.Unlock()
	for i, f := range m.out {
		m.out[i] = nil
		f()
	}
	return true
}
