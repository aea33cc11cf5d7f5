package mapperd

import (
	"errors"
	"fmt"
	"time"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// What an operator wants to find in the log: one line for each change of a volume, and for each
// failure that isn't an answer like "no such volume". The caller gets every error as well; the log
// has those of nobody's command, too.

// events are the operations whose success is an event, in its words.
var events = map[mapper.Kind]string{
	mapper.Snapshot: "snapshot made", mapper.Clone: "volume created", mapper.Delete: "volume removed",
	mapper.Rename: "volume renamed", mapper.Rollback: "volume rolled back", mapper.Resize: "volume resized",
	mapper.SnapshotGroup: "group of snapshots made", mapper.Acquire: "lock taken", mapper.Release: "lock given up",
}

var opNames = map[mapper.Kind]string{
	mapper.MapRead: "mapr", mapper.MapWrite: "mapw", mapper.Commit: "commit", mapper.Open: "open",
	mapper.Close: "close", mapper.Flush: "flush", mapper.Snapshot: "snapshot", mapper.Clone: "clone",
	mapper.InfoOf: "info", mapper.List: "list", mapper.Delete: "delete", mapper.Rename: "rename",
	mapper.Rollback: "rollback", mapper.Resize: "resize", mapper.SnapshotGroup: "snapshot-group",
	mapper.UsageOf: "usage", mapper.Diff: "diff", mapper.Acquire: "acquire", mapper.Release: "release",
}

func opName(k mapper.Kind) string {
	if name, ok := opNames[k]; ok {
		return name
	}
	return fmt.Sprint(k)
}

// logOp logs the end of an operation.
func (e *Engine) logOp(op *mapper.Op, begin time.Time) {
	what, isChange := events[op.Kind]
	switch {
	case op.Err == nil && isChange:
		attrs := []any{"volume", op.Name, "took", time.Since(begin).Round(time.Microsecond)}
		if op.Other != "" {
			attrs = append(attrs, "other", op.Other)
		}
		if op.Info.UUID != (mapfmt.UUID{}) {
			attrs = append(attrs, "uuid", mapfmt.FormatUUID(op.Info.UUID), "size", op.Info.Size, "epoch", op.Info.Epoch)
		}
		e.cfg.Log.Info(what, attrs...)
	case op.Err != nil && isTrouble(op.Err):
		e.cfg.Log.Warn("operation failed", "volume", op.Name, "op", opName(op.Kind), "error", op.Err)
	case op.Err != nil:
		e.cfg.Log.Debug("operation refused", "volume", op.Name, "op", opName(op.Kind), "error", op.Err)
	}
}

// isTrouble says that an error is one of the node or its storage, not of what was asked for.
func isTrouble(err error) bool {
	for _, answer := range []error{mapper.ErrNotFound, mapper.ErrExists, mapper.ErrBusy, mapper.ErrAgain,
		mapper.ErrStale, mapper.ErrArgument, mapper.ErrReadOnly, mapper.ErrName, mapper.ErrTooSmall} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return true
}

func (v *volume) logOpened() {
	v.e.cfg.Log.Info("volume opened", "volume", v.name, "uuid", mapfmt.FormatUUID(v.uuid), "epoch", v.record().Epoch,
		"generation", v.generation, "read_only", v.isReadOnly(), "owned", v.owned)
}
