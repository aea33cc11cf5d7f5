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
	case Copy:
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
	if len(name) == 0 || !validBytes(name) {
		return fmt.Errorf("%.200q: %w", name, ErrName)
	}
	start := true // of a component
	for i := range len(name) {
		c := name[i]
		if start && (c == '/' || c == '.') {
			return fmt.Errorf("%q: %w", name, ErrName)
		}
		start = c == '/'
	}
	if start {
		return fmt.Errorf("%q: %w", name, ErrName)
	}
	return nil
}

// nameBytes marks the bytes that a name is made of.
var nameBytes = func() (ok [256]bool) {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@+/-"
	for i := range len(set) {
		ok[set[i]] = true
	}
	return ok
}()

func validBytes(name string) bool {
	if len(name) > NameMax {
		return false
	}
	for i := range len(name) {
		if !nameBytes[name[i]] {
			return false
		}
	}
	return true
}
