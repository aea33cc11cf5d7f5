// Package pages hands out runs of pages of one buffer area.
//
// The map of what is taken lies in the memory of the process that owns the area, never in shared
// memory: it dies with its owner, so nothing can leak. Runs are placed first-fit from the start,
// so that an area which is used little stays small. Not safe for concurrent use.
package pages

import "math/bits"

// Pages is the map of an area: one bit per page, set = taken.
type Pages struct {
	words []uint64
	n     int // pages
	hint  int // every word before this one is full
	used  int
}

// New returns the map of an area of n pages, all free.
func New(n int) *Pages {
	return &Pages{words: make([]uint64, (n+63)/64), n: n}
}

// Used returns how many pages are taken.
func (p *Pages) Used() int { return p.used }

// Take finds the first run of n free pages, marks it taken and returns its first page; -1 if
// there is none. n must be positive.
func (p *Pages) Take(n int) int {
	p.skipFull()
	for at := p.hint * 64; ; {
		at = p.next(at, p.n, 0)
		if at+n > p.n {
			return -1
		}
		end := p.next(at, at+n, ^uint64(0))
		if end == at+n {
			p.set(at, n)
			return at
		}
		at = end
	}
}

// Give gives the run of n pages at first back. It must be one that Take returned, whole.
func (p *Pages) Give(first, n int) {
	p.used -= n
	p.hint = min(p.hint, first/64)
	for n > 0 {
		w, mask, k := part(first, n)
		p.words[w] &^= mask
		first, n = first+k, n-k
	}
}

// set marks n pages from first as taken.
func (p *Pages) set(first, n int) {
	p.used += n
	for n > 0 {
		w, mask, k := part(first, n)
		p.words[w] |= mask
		first, n = first+k, n-k
	}
}

// part returns the word of page first, the mask of those of the n pages that lie in it, and
// their number.
func part(first, n int) (word int, mask uint64, k int) {
	bit := first % 64
	k = min(n, 64-bit)
	mask = (^uint64(0) >> (64 - k)) << bit
	return first / 64, mask, k
}

func (p *Pages) skipFull() {
	for p.hint < len(p.words) && p.words[p.hint] == ^uint64(0) {
		p.hint++
	}
}

// next returns the first page of [at, limit) that is free (flip 0) or taken (flip all-ones), or
// limit if there is none.
func (p *Pages) next(at, limit int, flip uint64) int {
	for at < limit {
		if rest := ^(p.words[at/64] ^ flip) >> (at % 64); rest != 0 {
			return min(at+bits.TrailingZeros64(rest), limit)
		}
		at = at&^63 + 64
	}
	return limit
}
