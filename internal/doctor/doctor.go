package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/node"
	"archipelago/internal/version"
	"archipelago/xseg"
)

// Options are what a run needs.
type Options struct {
	// Load reads the node's configuration. Its failure is a finding.
	Load func() (*config.Config, error)
	// Bin is where the programs are installed; "" = beside this one.
	Bin string
	// Patience is how long one check may take; 0 = 20 s. A storage that hangs is a finding.
	Patience time.Duration
}

// env is what the checks look at. Tests change its parts.
type env struct {
	cfg *config.Config // nil: it couldn't be read
	err error          // why

	bin     string
	proc    string // /proc
	sys     string // /sys
	modules string // /lib/modules/RELEASE
	shm     string // /dev/shm
	version string
	now     func() time.Time
	synced  func() (bool, error) // of the clock
	space   func(dir string) (space, error)
	build   func(program string) string // names the build of a program; "" = not known
	free    int64                       // bytes that /dev/shm must have left

	seg    *xseg.Segment // nil: not there
	segErr error
	ports  []xseg.PortInfo
	shared bool // all roles run in one process
}

// check is one of the checks. Those that need a configuration aren't run without.
type check struct {
	name  string
	needs bool
	run   func(e *env, f *found)
}

var checks = []check{
	{"configuration", false, checkConfiguration},
	{"segment", true, checkSegment},
	{"permissions", true, checkPermissions},
	{"limits", true, checkLimits},
	{"storage", true, checkStorage},
	{"locks", true, checkLocks},
	{"half-done work", true, checkHalfDone},
	{"versions", true, checkVersions},
	{"kernel modules", true, checkModules},
	{"leftovers", false, checkLeftovers},
	{"sockets", true, checkSockets},
	{"clock", false, checkClock},
}

// Run runs all checks.
func Run(ctx context.Context, o Options) *Report {
	e := newEnv(o)
	defer e.close()
	if o.Patience == 0 {
		o.Patience = 20 * time.Second
	}
	return e.run(ctx, o.Patience)
}

func newEnv(o Options) *env {
	e := &env{bin: o.Bin, proc: "/proc", sys: "/sys", shm: "/dev/shm", modules: moduleDir(),
		version: version.String(), now: time.Now, synced: clockSynced, space: spaceOf, build: buildOf, free: minShared}
	if e.bin == "" {
		if self, err := os.Executable(); err == nil {
			e.bin = filepath.Dir(self)
		}
	}
	if e.cfg, e.err = o.Load(); e.err != nil {
		e.cfg = nil
		return e
	}
	if e.seg, e.segErr = xseg.Join(e.cfg.SegmentName); e.segErr == nil {
		e.ports = e.seg.Ports()
		rep, err := node.Status(e.cfg)
		e.shared = err == nil && rep.InProcess
	}
	return e
}

func (e *env) close() {
	if e.seg != nil {
		_ = e.seg.Leave() // only read from
	}
}

func (e *env) run(ctx context.Context, patience time.Duration) *Report {
	r := &Report{Version: e.version}
	if e.cfg != nil {
		r.Node = e.cfg.NodeName
	}
	for _, c := range checks {
		if ctx.Err() != nil {
			break
		}
		if c.needs && e.cfg == nil {
			continue
		}
		r.add(e.one(ctx, c, patience))
	}
	return r
}

// one runs a check. One that hangs, on a storage that doesn't answer, is left behind.
func (e *env) one(ctx context.Context, c check, patience time.Duration) Result {
	done := make(chan *found, 1)
	go func() {
		f := &found{}
		c.run(e, f)
		done <- f
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	var f *found
	select {
	case f = <-done:
	case <-ctx.Done():
		f = &found{}
		f.note("interrupted", "")
	case <-late.C:
		f = &found{}
		f.problem(fmt.Sprintf("no answer within %v: the storage or the kernel hangs", patience),
			"See whether the storage answers (df, ls), and the kernel's log (dmesg).")
	}
	res := Result{Check: c.name, Summary: f.summary, Findings: f.list}
	for _, x := range f.list {
		res.Level = max(res.Level, x.Level)
	}
	if res.Findings == nil {
		res.Findings = []Finding{}
	}
	return res
}

func (r *Report) add(res Result) {
	r.Checks = append(r.Checks, res)
	for _, f := range res.Findings {
		switch f.Level {
		case Problem:
			r.Problems++
		case Warning:
			r.Warnings++
		}
	}
}
