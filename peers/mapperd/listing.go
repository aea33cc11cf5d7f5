package mapperd

import (
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
)

// listVolumes fills op.Data with the names of volumes and snapshots after op.Other. The answer of
// the store is a little longer than the one it becomes, so it always fits.
func (e *Engine) listVolumes(op *mapper.Op) error {
	list := blocker.Op{
		Kind: blocker.List, Name: mapfmt.RecordPrefix, Data: make([]byte, len(op.Data)), Term: e.cfg.Term,
	}
	if op.Other != "" {
		list.After = mapfmt.RecordName(op.Other)
	}
	if err := blocker.Do(e.cfg.Maps, &list); err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	n := 0
	err := blocker.Names(list.Data[:list.N], func(object string) error {
		name, err := mapfmt.ParseRecordName(object)
		if err != nil {
			return fmt.Errorf("%w: object %s: %w", mapper.ErrCorrupt, object, err)
		}
		n, _ = blocker.PutName(op.Data, n, name)
		return nil
	})
	op.N, op.More = int64(n), list.More
	return err
}
