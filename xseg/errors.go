package xseg

import "errors"

// Errors of this package; wrapped with what they are about.
var (
	// Creating, joining, destroying.
	ErrSpec      = errors.New("invalid segment spec")
	ErrExists    = errors.New("exists")
	ErrNoSegment = errors.New("no such segment")
	ErrVersion   = errors.New("segment has another version")
	ErrCorrupt   = errors.New("segment is damaged")

	// Binding and connecting.
	ErrBusy       = errors.New("busy")
	ErrNotRunning = errors.New("not running")
	ErrLimit      = errors.New("limit reached")
	ErrNoMemory   = errors.New("no shared memory left")
	ErrClosed     = errors.New("closed")
)
