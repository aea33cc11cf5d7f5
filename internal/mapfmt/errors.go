package mapfmt

import (
	"errors"
	"fmt"
)

// Markers of what a decoder found; its errors wrap exactly one of them and name what is wrong.
var (
	// ErrCorrupt: the bytes don't check. They must not be used.
	ErrCorrupt = errors.New("corrupt")
	// ErrVersion: whole and undamaged, but of a version that this code does not know.
	ErrVersion = errors.New("unknown format version")
	// ErrOriginal: a map of the original system, recognised by its signature.
	ErrOriginal = errors.New("map of the original system")
)

// Errors about values that were to be encoded, named or parsed.
var (
	// ErrName: not a valid name of a volume, node or object.
	ErrName = errors.New("invalid name")
	// ErrArgument: a value that the format can't hold.
	ErrArgument = errors.New("invalid argument")
	// ErrEntry: an entry that breaks the rules of Entry.Check.
	ErrEntry = errors.New("invalid map entry")
	// ErrDictionary: an append needs a UUID that the chunk's dictionary lacks; write a new base.
	ErrDictionary = errors.New("not in the dictionary of the chunk")
	// ErrFull: the chunk has as many appended records as it can number; write a new base.
	ErrFull = errors.New("chunk takes no more appends")
)

func corruptf(what, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", what, fmt.Sprintf(format, args...), ErrCorrupt)
}

func argumentf(what, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", what, fmt.Sprintf(format, args...), ErrArgument)
}

func namef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrName, fmt.Sprintf(format, args...))
}
