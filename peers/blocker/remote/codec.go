package remote

import (
	"encoding/binary"
	"fmt"

	"archipelago/peers/blocker"
	"archipelago/xseg"
)

var le = binary.LittleEndian

// opcodes maps kinds to the numbers of requests.
var opcodes = [...]uint32{
	blocker.Read:         xseg.OpRead,
	blocker.Write:        xseg.OpWrite,
	blocker.WriteZeroes:  xseg.OpWriteZeroes,
	blocker.Discard:      xseg.OpDiscard,
	blocker.Copy:         xseg.OpCopy,
	blocker.Fill:         xseg.OpFill,
	blocker.Sync:         xseg.OpSync,
	blocker.Stat:         xseg.OpStat,
	blocker.Create:       xseg.OpCreate,
	blocker.Replace:      xseg.OpReplace,
	blocker.Append:       xseg.OpAppend,
	blocker.TruncateTail: xseg.OpTruncate,
	blocker.Delete:       xseg.OpDelete,
	blocker.List:         xseg.OpList,
	blocker.LockRead:     xseg.OpLockRead,
	blocker.LockAdvance:  xseg.OpLockAdvance,
}

// kinds is the inverse of opcodes; 0 = not an operation of a blocker.
var kinds = func() (k [64]blocker.Kind) {
	for kind, op := range opcodes {
		if kind > 0 {
			k[op] = blocker.Kind(kind)
		}
	}
	return k
}()

// hasData tells the operations that take or fill Data.
func hasData(k blocker.Kind) bool {
	switch k {
	case blocker.Read, blocker.Write, blocker.Fill, blocker.Create, blocker.Replace, blocker.Append,
		blocker.List, blocker.LockRead, blocker.LockAdvance:
		return true
	}
	return false
}

// fillsData tells the operations that fill Data.
func fillsData(k blocker.Kind) bool {
	return k == blocker.Read || k == blocker.List || k == blocker.LockRead
}

// usesLength tells the operations whose size isn't that of their data.
func usesLength(k blocker.Kind) bool {
	return k == blocker.WriteZeroes || k == blocker.Discard || k == blocker.Copy
}

// struct xseg_copy_args.
const (
	copyNameAt   = 16
	copyArgsSize = 208
)

func putCopyArgs(p []byte, op *blocker.Op) int {
	clear(p[:copyArgsSize])
	le.PutUint64(p, uint64(op.SourceOffset))
	le.PutUint32(p[8:], uint32(len(op.Source)))
	if op.Kind == blocker.Fill {
		le.PutUint32(p[12:], uint32(op.Length))
	}
	copy(p[copyNameAt:copyArgsSize], op.Source)
	return copyArgsSize
}

func getCopyArgs(p []byte, op *blocker.Op) error {
	if len(p) != copyArgsSize {
		return fmt.Errorf("copy: arguments of %d bytes: %w", len(p), blocker.ErrArgument)
	}
	n := le.Uint32(p[8:])
	if n > copyArgsSize-copyNameAt {
		return fmt.Errorf("copy: name of %d bytes: %w", n, blocker.ErrName)
	}
	op.SourceOffset = int64(le.Uint64(p))
	if op.Kind == blocker.Fill {
		op.Length = int64(le.Uint32(p[12:]))
	}
	op.Source = string(p[copyNameAt : copyNameAt+n])
	return nil
}

// putResult returns the number that a reply carries besides its count.
func putResult(op *blocker.Op) (uint64, bool) {
	switch op.Kind {
	case blocker.Stat:
		return uint64(op.Allocated), true
	case blocker.LockRead, blocker.LockAdvance:
		return op.Generation, true
	case blocker.List:
		if op.More {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func getResult(op *blocker.Op, n uint64) {
	switch op.Kind {
	case blocker.Stat:
		op.Allocated = int64(n)
	case blocker.LockRead, blocker.LockAdvance:
		op.Generation = n
	case blocker.List:
		op.More = n != 0
	}
}
