package vlmcd

import (
	"encoding/binary"
	"fmt"

	"archipelago/internal/mapfmt"
	volumes "archipelago/internal/volume"
	"archipelago/peers/mapper"
	mappers "archipelago/peers/mapper/remote"
	"archipelago/xseg"
)

// kinds maps the numbers of requests to kinds; 0 = not an operation on volumes.
var kinds = [...]Kind{
	xseg.OpRead: Read, xseg.OpWrite: Write, xseg.OpWriteZeroes: WriteZeroes, xseg.OpDiscard: Discard,
	xseg.OpFlush: Flush, xseg.OpOpen: Open, xseg.OpClose: Close, xseg.OpSnapshot: Snapshot,
	xseg.OpDelete: Delete, xseg.OpInfo: Info, xseg.OpRename: Rename, xseg.OpRollback: Rollback,
	xseg.OpResize: Resize, xseg.OpFlatten: Flatten, xseg.OpAcquire: Acquire, xseg.OpRelease: Release,
}

// decode makes the operation of a request. What the engine checks itself isn't checked here: ranges
// and UUIDs.
func decode(op *Op, r *xseg.Request) (err error) {
	code := r.Op()
	if code >= uint32(len(kinds)) || kinds[code] == 0 {
		return fmt.Errorf("operation %d: %w", code, mapper.ErrArgument)
	}
	op.Kind, op.Flags = kinds[code], flagsOf(r.Flags())
	op.Force = r.Flags()&xseg.ReqForce != 0
	op.Volume, op.Name, op.RequestID = r.Volume(), r.Target(), r.RequestID()
	op.Offset, op.Length = int64(r.Offset()), int64(r.Size())
	op.Received = r.Received()
	switch op.Kind {
	case Read, Write:
		data := r.Data()
		if r.Size() > uint64(len(data)) {
			return fmt.Errorf("%d bytes in a buffer of %d: %w", r.Size(), len(data), mapper.ErrArgument)
		}
		op.Data = data[:r.Size()]
		return nil
	case WriteZeroes, Discard, Flush, Flatten:
		return nil
	}
	// The others need not be as quick about the name.
	if err = mapfmt.CheckVolumeName(string(op.Name)); err != nil {
		return fmt.Errorf("%w: %w", mapper.ErrName, err)
	}
	return decodeChange(op, r.Data(), r.PayloadIn())
}

// decodeChange reads the arguments of a map change.
func decodeChange(op *Op, data, inline []byte) (err error) {
	switch op.Kind {
	case Rename, Rollback:
		op.Other, err = mappers.NameArgs(data)
	case Resize:
		op.Size = op.Length
		if err = mapfmt.CheckVolumeSize(op.Size); err != nil {
			err = fmt.Errorf("%w: %w", mapper.ErrArgument, err)
		}
	case Snapshot:
		err = decodeSnapshot(op, data, inline)
	}
	return err
}

// decodeSnapshot reads the arguments of SNAPSHOT, which may be about a freeze alone.
func decodeSnapshot(op *Op, data, inline []byte) error {
	a, err := volumes.ParseMemberArgs(inline)
	if err != nil {
		return err
	}
	op.Group, op.Members, op.Token = a.Group, a.Members, a.Token
	switch {
	case op.Members == 0 || !noName(data):
		if op.Members > 0 && op.Token == 0 {
			return fmt.Errorf("snapshot of a group without a freeze: %w", mapper.ErrArgument)
		}
		op.Other, err = mappers.NameArgs(data)
		return err
	case op.Token == 0:
		op.Kind = Freeze
	default:
		op.Kind = Thaw
	}
	return nil
}

// noName says that name args hold an empty name.
func noName(data []byte) bool {
	return len(data) >= mappers.NameArgsBytes && binary.LittleEndian.Uint32(data[mappers.NameArgsBytes-4:]) == 0
}

func flagsOf(f uint32) (flags Flags) {
	if f&xseg.ReqFUA != 0 {
		flags |= FlagFUA
	}
	if f&xseg.ReqFlush != 0 {
		flags |= FlagFlush
	}
	if f&xseg.ReqNosync != 0 {
		flags |= FlagNoWait
	}
	return flags
}
