package faultstore

import (
	"fmt"
	"math/rand/v2"

	"archipelago/peers/blocker/memstore"
)

// crashable is a store that knows what a power cut may leave.
type crashable interface {
	PowerCut(choose func(n int) int) *memstore.Store
}

// PowerCut returns a store as a power cut now could leave it: see memstore.Store.PowerCut. The seed
// chooses; the same seed and history give the same store. What hangs or is delayed is lost.
// Precondition: the wrapped store is a memstore.
func (s *Store) PowerCut(seed uint64) *memstore.Store {
	c, ok := s.inner.(crashable)
	if !ok {
		panic(fmt.Sprintf("faultstore: power cut of a %T", s.inner))
	}
	return c.PowerCut(rand.New(rand.NewPCG(seed, 1)).IntN)
}
