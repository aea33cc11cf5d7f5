package memstore_test

import (
	"testing"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
	"archipelago/peers/blocker/memstore"
)

func TestConformance(t *testing.T) {
	blockertest.Run(t, func(*testing.T) blocker.Store { return memstore.New() })
}
