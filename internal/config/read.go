package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.starlark.net/syntax"
)

// maxFileBytes bounds the file, and with it the recursion of the parser.
const maxFileBytes = 64 << 10

// reader reads one file and collects everything that is wrong with it.
type reader struct {
	path string
	cfg  *Config
	errs Errors
	// bad holds keys whose value was refused: rules between keys don't speak about them again.
	bad map[string]bool
}

func (r *reader) fail(at place, msg string) {
	r.errs = append(r.errs, &Error{File: r.path, Line: at.line, Col: at.col, Msg: msg})
}

func (r *reader) failf(at place, format string, args ...any) {
	r.fail(at, fmt.Sprintf(format, args...))
}

// Read reads the configuration file at path. Errors about what it says are Errors.
func Read(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrInvalid, path, err)
	}
	return Parse(path, src)
}

// Parse reads a configuration from src; path appears in errors only.
func Parse(path string, src []byte) (*Config, error) {
	r := &reader{path: path, cfg: defaults(), bad: map[string]bool{}}
	r.cfg.Path = path
	if fields, ok := r.assignments(src); ok {
		r.globals(fields)
		r.roles(fields)
		r.check()
	}
	if err := r.errs.sorted(); err != nil {
		return nil, err
	}
	return r.cfg, nil
}

// assignments parses src into the fields of the file. False: there is nothing to go on with.
func (r *reader) assignments(src []byte) ([]field, bool) {
	if len(src) > maxFileBytes {
		r.failf(place{}, "the file is larger than %d KiB", maxFileBytes>>10)
		return nil, false
	}
	file, err := (&syntax.FileOptions{}).Parse(r.path, src, 0)
	if err != nil {
		r.syntaxError(err)
		return nil, false
	}
	var fields []field
	seen := map[string]place{}
	for _, stmt := range file.Stmts {
		f, ok := r.assignment(stmt)
		if ok && !r.duplicate(seen, f.name, f.at) {
			fields = append(fields, f)
		}
	}
	return fields, true
}

func (r *reader) syntaxError(err error) {
	if e, ok := errors.AsType[syntax.Error](err); ok {
		r.fail(placeOf(e.Pos), e.Msg)
		return
	}
	r.fail(place{}, strings.TrimPrefix(err.Error(), r.path+": "))
}

func (r *reader) assignment(stmt syntax.Stmt) (field, bool) {
	start, _ := stmt.Span()
	at := placeOf(start)
	a, ok := stmt.(*syntax.AssignStmt)
	if !ok || a.Op != syntax.EQ {
		r.fail(at, "only assignments are allowed: NAME = value")
		return field{}, false
	}
	name, ok := a.LHS.(*syntax.Ident)
	if !ok {
		r.fail(at, "only a single name can be assigned to: NAME = value")
		return field{}, false
	}
	value, ok := r.literalOf(a.RHS)
	if !ok {
		r.bad[name.Name] = true
	}
	return field{at: at, name: name.Name, value: value}, true
}
