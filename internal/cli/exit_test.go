package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"archipelago/internal/config"
	"archipelago/internal/node"
	"archipelago/peers/mapper"
	"archipelago/xseg"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{os.ErrNotExist, 1}, // a file of the user's, not a volume
		{Usagef("x"), 2},
		{config.Errors{{Msg: "x"}}, 2},
		{config.ErrNone, 2},
		{mapper.ErrName, 2},
		{mapper.ErrArgument, 2},
		{mapper.ErrTooSmall, 2},
		{mapper.ErrNotFound, 10},
		{mapper.ErrExists, 11},
		{mapper.ErrBusy, 12},
		{xseg.ErrBusy, 12},
		{&node.LockedError{}, 12},
		{xseg.ErrNoSegment, 13},
		{xseg.ErrNotRunning, 13},
		{config.ErrNoDir, 13},
		{syscall.EHOSTDOWN, 13},
		{mapper.ErrCorrupt, 14},
		{mapper.ErrAgain, 75},
		{mapper.ErrStale, 75},
		{xseg.ErrLimit, 75},
		{context.Canceled, 130},
		{mapper.ErrReadOnly, 1},
		{mapper.ErrNoSpace, 1},
		{mapper.ErrIO, 1},
		{xseg.ErrVersion, 1},
		{&node.PeerError{}, 1},
		{&CodeError{ExitPartly, errors.New("x")}, 3},
		{coded(14), 14},
		{coded(0), 1},
		{coded(77), 1},
	} {
		for _, err := range []error{c.err, wrapped(c.err)} {
			if got := ExitCode(err); got != c.want {
				t.Errorf("%v: %d, want %d", err, got, c.want)
			}
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(errors.New("beside"), fmt.Errorf("volume x: %w", err))
}

type coded int

func (c coded) Error() string { return "coded" }
func (c coded) ExitCode() int { return int(c) }

func TestReport(t *testing.T) {
	err := errors.Join(fmt.Errorf("a & b: %w", mapper.ErrExists), errors.New("second"))
	for _, c := range []struct {
		json bool
		err  error
		code int
		want string
	}{
		{false, nil, 0, ""},
		{false, err, 11, "vlmc: a & b: volume exists\nvlmc: second\n"},
		{true, err, 11, `{"error":"a \u0026 b: volume exists\nsecond","code":11}` + "\n"},
		{true, nil, 0, ""},
	} {
		var out bytes.Buffer
		if code := Report(&out, "vlmc", c.json, c.err); code != c.code || out.String() != c.want {
			t.Errorf("%d %q, want %d %q", code, out.String(), c.code, c.want)
		}
	}
}

func TestWantsJSON(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{nil, false},
		{[]string{"list", "--json"}, true},
		{[]string{"--json=true", "bad"}, true},
		{[]string{"info", "--", "--json"}, false},
	} {
		if got := wantsJSON(c.args); got != c.want {
			t.Errorf("%v: %v", c.args, got)
		}
	}
}
