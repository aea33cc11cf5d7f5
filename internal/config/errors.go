package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Errors of this package; wrapped with what they are about.
var (
	// ErrInvalid marks every error in what a configuration says.
	ErrInvalid = errors.New("invalid configuration")
	// ErrNone: neither a flag nor the environment nor the default place names a configuration.
	ErrNone = errors.New("no configuration")
	// ErrNoDir: the directory of a node isn't there, so no node can be running in it.
	ErrNoDir = errors.New("no such directory")
)

// Error is one thing that is wrong, with its place. Line and Col count from 1; both are 0 where
// there is no place (a key that is missing as a whole, a built-in configuration).
type Error struct {
	File string
	Line int
	Col  int
	Msg  string
}

func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Msg
	case e.Line == 0:
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// Errors is everything that is wrong with one configuration, by place.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e Errors) Is(target error) bool { return target == ErrInvalid }

// sorted returns e by place, or nil (as an error) if it is empty.
func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return e
}
