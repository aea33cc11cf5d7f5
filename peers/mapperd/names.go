package mapperd

import "sync"

// nameLocks lets one operation at a time make, open, change or remove a volume name.
type nameLocks struct {
	mu   sync.Mutex
	held map[string]*nameLock
}

type nameLock struct {
	sync.Mutex
	users int // holder and those that wait
}

// lock blocks until the names are free and returns what frees them. Two names are locked in byte
// order, so that two operations can't wait for each other; the second may be empty or the first.
func (n *nameLocks) lock(a, b string) (unlock func()) {
	if b == "" || a == b {
		n.lockOne(a)
		return func() { n.unlockOne(a) }
	}
	n.lockOne(min(a, b))
	n.lockOne(max(a, b))
	return func() {
		n.unlockOne(a)
		n.unlockOne(b)
	}
}

func (n *nameLocks) lockOne(name string) {
	n.mu.Lock()
	if n.held == nil {
		n.held = map[string]*nameLock{}
	}
	l := n.held[name]
	if l == nil {
		l = &nameLock{}
		n.held[name] = l
	}
	l.users++
	n.mu.Unlock()
	l.Lock()
}

func (n *nameLocks) unlockOne(name string) {
	n.mu.Lock()
	l := n.held[name]
	if l.users--; l.users == 0 {
		delete(n.held, name)
	}
	n.mu.Unlock()
	l.Unlock()
}

// lockAll is lock for any number of names, sorted and none twice.
func (n *nameLocks) lockAll(names []string) (unlock func()) {
	for _, name := range names {
		n.lockOne(name)
	}
	return func() {
		for _, name := range names {
			n.unlockOne(name)
		}
	}
}
