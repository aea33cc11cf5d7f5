package blocker

import "fmt"

// Limits that every store keeps, so that what passes on one passes on all.
const (
	// MaxAtomic is the most bytes of Data that Create, Replace and Append take: what one request
	// carries.
	MaxAtomic = 4 << 20
	// MaxObject is the largest size of an object in bytes.
	MaxObject = 1 << 30
	// MaxLock is the most bytes that a generation of a lock chain holds.
	MaxLock = 4096
)

// Check returns ErrName or ErrArgument, wrapped with the name, if op is malformed. A store calls
// it first, so that all of them refuse the same.
func Check(op *Op) error {
	if err := checkNames(op); err != nil {
		return err
	}
	if !validRange(op) {
		return fmt.Errorf("object %s: offset %d, length %d, %d bytes: %w",
			op.Name, op.Offset, op.Length, len(op.Data), ErrArgument)
	}
	return nil
}

func checkNames(op *Op) error {
	switch op.Kind {
	case Sync:
		if op.Name == "" {
			return nil
		}
	case List:
		if !validBytes(op.Name) || !validBytes(op.After) {
			return fmt.Errorf("list of %q after %q: %w", op.Name, op.After, ErrName)
		}
		return nil
	case Copy, Fill:
		if err := CheckName(op.Source); err != nil {
			return err
		}
		if op.Source == op.Name {
			return fmt.Errorf("object %s: copy onto itself: %w", op.Name, ErrArgument)
		}
	}
	return CheckName(op.Name)
}

func validRange(op *Op) bool {
	switch op.Kind {
	case Read, Write:
		return inObject(op.Offset, int64(len(op.Data)))
	case WriteZeroes, Discard:
		return inObject(op.Offset, op.Length)
	case Copy:
		return inObject(op.Offset, op.Length) && inObject(op.SourceOffset, op.Length)
	case Fill:
		end := op.Offset + int64(len(op.Data))
		return inObject(op.Offset, int64(len(op.Data))) && inObject(op.SourceOffset, op.Length) &&
			op.SourceOffset <= op.Offset && end <= op.SourceOffset+op.Length
	case Create, Replace:
		return len(op.Data) <= MaxAtomic
	case Append:
		return len(op.Data) <= MaxAtomic && inObject(op.Offset, int64(len(op.Data)))
	case TruncateTail:
		return op.Offset >= 0
	case LockAdvance:
		return len(op.Data) <= MaxLock && op.Generation != ^uint64(0)
	case Sync, Stat, Delete, List, LockRead:
		return true
	}
	return false
}

func inObject(offset, length int64) bool {
	return offset >= 0 && length >= 0 && offset <= MaxObject && length <= MaxObject-offset
}

// CheckName returns ErrName, wrapped, if name can't be an object's.
func CheckName(name string) error {
	if len(name) > NameMax || !isName(name) {
		return fmt.Errorf("%.200q: %w", name, ErrName)
	}
	return nil
}

// isName is on the way of every request: one look at each byte.
func isName(name string) bool {
	need := byteFirst // of a component
	for i := range len(name) {
		c := name[i]
		if nameBytes[c] < need {
			return false
		}
		need = byteInside
		if c == '/' {
			need = byteFirst
		}
	}
	return need == byteInside // not empty, and no empty component at the end
}

// Where a byte may stand in a component of a name; what may stand first may stand anywhere.
const (
	byteNever uint8 = iota
	byteInside
	byteFirst
)

// nameBytes says so of each byte. The slash ends a component: it is inside it here.
var nameBytes = func() (may [256]uint8) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:@+-") {
		may[c] = byteFirst
	}
	may['.'], may['/'] = byteInside, byteInside
	return may
}()

// validBytes is for parts of names: prefixes and cursors.
func validBytes(part string) bool {
	if len(part) > NameMax {
		return false
	}
	for i := range len(part) {
		if nameBytes[part[i]] == byteNever {
			return false
		}
	}
	return true
}
