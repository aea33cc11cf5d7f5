package archipelago

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/systemd"
)

// Tuning.
const (
	// connectLimit bounds how long the system bus may take to answer at all.
	connectLimit = 10 * time.Second
	// defaultStepLimit is how long each step may take. It leaves room for the time after which
	// systemd itself kills what doesn't stop.
	defaultStepLimit = 2 * time.Minute
	// explainLines is how much of the journal goes with a failure.
	explainLines = 8
)

// unitConfig is the configuration of the node that systemd runs: its units name no other. Tests have
// one of their own.
var unitConfig = config.DefaultPath

// units are those of the node, and how a command works on them.
type units struct {
	cfg   *config.Config
	m     *systemd.Manager
	rows  *rows
	limit time.Duration // of each step
	begin time.Time
}

// openUnits connects to systemd. The caller closes what it returns.
func openUnits(cmd *cobra.Command, app *cli.App, cfg *config.Config, limit time.Duration) (*units, error) {
	if cfg.Path != unitConfig {
		return nil, cli.Usagef("systemd runs the node of %s, not this one: `archipelago run` does, in the "+
			"foreground, and isn't running", unitConfig)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), connectLimit)
	defer cancel()
	m, err := systemd.Connect(ctx, "")
	if err != nil {
		return nil, wayOut(err)
	}
	return &units{cfg: cfg, m: m, rows: newRows(cmd, app), limit: limit, begin: time.Now()}, nil
}

func (u *units) close() error { return errors.Join(u.rows.err, u.m.Close()) }

// peers looks at the units of all roles, in the order of their start.
func (u *units) peers(ctx context.Context) ([]*systemd.Unit, error) {
	var list []*systemd.Unit
	for _, r := range u.cfg.Roles {
		unit, err := u.m.Unit(ctx, systemd.Peer(r.Name))
		if err != nil {
			return nil, wayOut(err)
		}
		list = append(list, unit)
	}
	return list, nil
}

// start starts a unit. One that a condition keeps down, which is no failure, is told.
func (u *units) start(ctx context.Context, name, unit string) error {
	return u.rows.do("Starting", name, func() (string, error) {
		limited, cancel := context.WithTimeout(ctx, u.limit)
		defer cancel()
		if err := u.m.Start(limited, unit); err != nil {
			return "", u.explain(ctx, name, unit, err)
		}
		state, err := u.m.Unit(limited, unit)
		if err == nil && state.ActiveState == "inactive" {
			return "Not needed", nil
		}
		return "", wayOut(err)
	})
}

func (u *units) restart(ctx context.Context, name, unit string) error {
	return u.rows.do("Restarting", name, func() (string, error) {
		limited, cancel := context.WithTimeout(ctx, u.limit)
		defer cancel()
		return "", u.explain(ctx, name, unit, u.m.Restart(limited, unit))
	})
}

// stop stops a unit, and says so if it was down anyway.
func (u *units) stop(ctx context.Context, name, unit string) error {
	return u.rows.do("Stopping", name, func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, u.limit)
		defer cancel()
		state, err := u.m.Unit(ctx, unit)
		if err == nil && state.ActiveState == "inactive" {
			return "Not running", nil
		}
		return "", u.explain(ctx, name, unit, u.m.Stop(ctx, unit))
	})
}

// explain says of a failed step which role and unit it is about, why, and what the unit said last.
func (u *units) explain(ctx context.Context, name, unit string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, failed := errors.AsType[*systemd.JobError](err); !failed && !errors.Is(err, systemd.ErrTimeout) {
		return wayOut(err)
	}
	// The deadline of the step may have passed: the journal has one of its own.
	lines := systemd.LastLines(context.WithoutCancel(ctx), unit, u.begin, explainLines)
	return &stepError{name: name, err: err, lines: lines}
}

// stepError says why a step failed.
type stepError struct {
	name  string
	err   error
	lines []string // what its unit wrote last
}

func (e *stepError) Error() string {
	text := e.name + ": " + e.err.Error()
	if errors.Is(e.err, systemd.ErrTimeout) {
		text += "; `archipelago status` shows how far it is"
	}
	for _, line := range e.lines {
		text += "\n  " + line
	}
	return text
}

func (e *stepError) Unwrap() error { return e.err }

// ExitCode passes the exit status of the program in the unit on, so that its reason isn't lost.
func (e *stepError) ExitCode() int {
	job, ok := errors.AsType[*systemd.JobError](e.err)
	if !ok || job.State == nil || job.State.Result != "exit-code" {
		return 0
	}
	return job.State.ExitStatus
}

// wayOut says what to do about an error of systemd that isn't about one unit alone.
func wayOut(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, systemd.ErrNoBus), errors.Is(err, systemd.ErrNoManager):
		return fmt.Errorf("systemd can't be reached: %w\nwas the machine booted by systemd, and is package dbus "+
			"installed? `archipelago run` runs a node in the foreground, without either", err)
	case errors.Is(err, systemd.ErrDenied), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nrun it with sudo, or as a member of group archipelago (sudo adduser USER archipelago; "+
			"polkit must be installed, and the membership counts from the next login)", err)
	case errors.Is(err, systemd.ErrNoUnit):
		return fmt.Errorf("%w\nthe units of the node aren't installed: install package archipelago, or run "+
			"`archipelago run`", err)
	case errors.Is(err, systemd.ErrMasked):
		return fmt.Errorf("%w\n`systemctl unmask` undoes that", err)
	case errors.Is(err, systemd.ErrLost):
		return fmt.Errorf("%w: `archipelago status` shows how far it came", err)
	}
	return err
}

// split sorts the roles into those that run and those that don't.
func (u *units) split(peers []*systemd.Unit) (up, down []string) {
	for i, p := range peers {
		if p.Down() {
			down = append(down, u.cfg.Roles[i].Name)
		} else {
			up = append(up, u.cfg.Roles[i].Name)
		}
	}
	return up, down
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
