package audit

import (
	"hash/maphash"
	"math"
)

// partition holds the keys of a part of all: those whose hash lies in a range. When it is full the
// range is halved, and what lies outside waits for a later pass. So any number of keys is gone
// through in bounded memory, and a small number in one pass.
type partition[K comparable, V any] struct {
	seed        maphash.Seed
	first, last uint64
	most        int
	keys        map[K]V
}

func newPartition[K comparable, V any](most int) *partition[K, V] {
	return &partition[K, V]{
		seed: maphash.MakeSeed(), last: math.MaxUint64, most: most, keys: map[K]V{},
	}
}

// covers says whether a key belongs to this part.
func (p *partition[K, V]) covers(k K) bool {
	h := maphash.Comparable(p.seed, k)
	return h >= p.first && h <= p.last
}

// change makes f(present value, whether there is one) the value of k, if the part covers k.
func (p *partition[K, V]) change(k K, f func(v V, there bool) V) {
	if !p.covers(k) {
		return
	}
	v, there := p.keys[k]
	p.keys[k] = f(v, there)
	for len(p.keys) > p.most && p.first < p.last {
		p.halve()
	}
}

func (p *partition[K, V]) halve() {
	p.last = p.first + (p.last-p.first)/2
	for k := range p.keys {
		if !p.covers(k) {
			delete(p.keys, k)
		}
	}
}

// next goes on with the rest; false if there is none. The range begins as wide as all that is
// left, and narrows again as need be.
func (p *partition[K, V]) next() bool {
	clear(p.keys)
	if p.last == math.MaxUint64 {
		return false
	}
	p.first, p.last = p.last+1, math.MaxUint64
	return true
}
