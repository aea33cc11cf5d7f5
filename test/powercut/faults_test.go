package powercut

import "archipelago/peers/blocker"

// fault is a wrong that is planted between the engines and their stores.
type fault struct {
	name string
	make func(maps, blocks blocker.Store) (blocker.Store, blocker.Store)
}

func (f fault) wrap(maps, blocks blocker.Store) (blocker.Store, blocker.Store) {
	if f.make == nil {
		return maps, blocks
	}
	return f.make(maps, blocks)
}
