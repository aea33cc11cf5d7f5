package mapperd

import (
	"errors"
	"fmt"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// openStore reads the header of the store, or makes it if this is the first start. Two nodes that
// start at the same time agree: creation is exclusive, and the loser reads what the winner wrote.
func (e *Engine) openStore() error {
	h, err := e.readStoreHeader()
	if errors.Is(err, blocker.ErrNotFound) {
		if err := e.createStoreHeader(); err != nil && !errors.Is(err, blocker.ErrExists) {
			return fmt.Errorf("create header of the store: %w", err)
		}
		h, err = e.readStoreHeader()
	}
	if err != nil {
		return fmt.Errorf("header of the store: %w", err)
	}
	if h.Nodes != e.cfg.Nodes {
		return fmt.Errorf("%w: the store is for nodes = '%v', the configuration says '%v'",
			mapper.ErrArgument, h.Nodes, e.cfg.Nodes)
	}
	e.store = *h
	return nil
}

func (e *Engine) readStoreHeader() (*mapfmt.StoreHeader, error) {
	return readObject(e, mapfmt.StoreHeaderName, mapfmt.DecodeStoreHeader)
}

func (e *Engine) createStoreHeader() error {
	data, err := mapfmt.EncodeStoreHeader(&mapfmt.StoreHeader{
		ID: e.cfg.StoreID, Nodes: e.cfg.Nodes, Created: time.Now().Unix(),
	})
	if err != nil {
		return err
	}
	return e.create(mapfmt.UUID{}, mapfmt.StoreHeaderName, data)
}
