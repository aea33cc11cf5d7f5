package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"archipelago/internal/config"
	daemon "archipelago/peers/peer"
	"archipelago/xseg"
)

// Options are what Run needs.
type Options struct {
	// Ready is called once, when all roles are ready, with the URI of the NBD socket ("" if no
	// role serves one). May be nil.
	Ready func(uri string)
	// Log takes the records of the supervisor and the output of all peers, a line each.
	Log io.Writer
	// Force ends a stop at once when it is closed: everything is killed. May be nil.
	Force <-chan struct{}
	// Watchdog is how long a peer may be silent; 0 = DefaultWatchdog, negative = none.
	Watchdog time.Duration
	// StopTimeout is how long a peer may take to stop; 0 = DefaultStopTimeout.
	StopTimeout time.Duration
	// Command returns the program and arguments that serve a role; nil = the installed ones.
	Command func(cfg *config.Config, r *config.Role) ([]string, error)
	// Host makes this process serve all roles itself, in place of a process for each: by type of
	// role, what does. What would be a reason to kill such a process is one to end this one.
	Host map[string]Serve

	exit func(status int) // os.Exit, but in tests
}

// Serve serves a role until ctx ends; see peer.WithHost and peer.Replaced.
type Serve func(ctx context.Context, cfg *config.Config, role string) error

// Tuning.
const (
	// DefaultWatchdog leaves room for a machine that is short of processors.
	DefaultWatchdog = 10 * time.Second
	// DefaultStopTimeout leaves room for flushing volumes to a slow disk.
	DefaultStopTimeout = 60 * time.Second
)

func (o *Options) fill() {
	if o.Watchdog == 0 {
		o.Watchdog = DefaultWatchdog
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = DefaultStopTimeout
	}
	if o.Command == nil {
		o.Command = installed
	}
	if o.Ready == nil {
		o.Ready = func(string) {}
	}
	if o.exit == nil {
		o.exit = os.Exit
	}
}

func installed(cfg *config.Config, r *config.Role) ([]string, error) {
	path, err := Program(r.Type)
	if err != nil {
		return nil, err
	}
	return append([]string{path}, append(cfg.Source().Args(), r.Name)...), nil
}

// Run runs the node of cfg until ctx ends, and stops it in order. It returns nil after a clean
// stop: every role ended as it should and nothing is left. Errors: LockedError, PeerError (a role
// did not start, or did not stop cleanly), ErrForced, or what kept the segment from being made.
func Run(ctx context.Context, cfg *config.Config, opts Options) (err error) {
	opts.fill()
	sink := newLogSink(opts.Log)
	defer sink.close()
	log := supervisorLog(sink, opts.Log)

	l, err := takeLock(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if err := layOut(cfg); err != nil {
		return err
	}
	if err := makeRuntimeDir(cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeRuntimeDir(cfg)) }()
	if err := clearStale(ctx, cfg, log); err != nil {
		return err
	}
	if err := createSegment(cfg); err != nil {
		return err
	}
	// All peers are gone by then; a tool that is still joined keeps its memory, but finds nobody.
	defer func() { err = errors.Join(err, destroy(cfg.SegmentName)) }()
	if err := newSupervisor(cfg, opts, sink, log).run(ctx); err != nil {
		return err
	}
	return clearPending(cfg)
}

// supervisorLog is the supervisor's own: by the sink, in order with the lines of the peers, or
// straight to the journal if that is where the log goes.
func supervisorLog(sink *logSink, to io.Writer) *slog.Logger {
	if f, ok := to.(*os.File); ok && daemon.LogsToJournal(f) {
		return daemon.NewSupervisorLog(f)
	}
	return daemon.NewSupervisorLog(sink)
}

func createSegment(cfg *config.Config) error {
	spec := xseg.Spec{
		Name:      cfg.SegmentName,
		Ports:     cfg.SegmentPorts,
		SizeMiB:   cfg.SegmentSize,
		PageShift: cfg.SegmentAlignment,
	}
	return explain(spec, xseg.Create(spec, xseg.CreateOptions{RuntimeDir: cfg.RuntimeDir, Group: -1}))
}
