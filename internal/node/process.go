package node

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// process is one run of a role: a process of its own, or a part of this one.
type process struct {
	body
	notify  *notify
	out     *prefixer
	started time.Time
	exited  chan struct{} // closed when it has ended and its output is in the log
	ended   ending        // valid then
}

// body is what runs.
type body interface {
	pid() int
	// signal tells it to stop (SIGTERM), to give way to a successor (daemon.ReplaceSignal), or ends
	// it at once (SIGKILL). It doesn't wait.
	signal(sig syscall.Signal)
}

// ending is how a run of a role has ended.
type ending struct {
	clean  bool             // by its own account
	signal syscall.Signal   // that ended a process; 0 = none
	state  *os.ProcessState // of a process; nil: it was a part of this one
	err    error            // of a part of this process
}

// begin starts a run of a role.
func (s *supervisor) begin(r *peer) (*process, error) {
	path := filepath.Join(s.cfg.RuntimeDir, notifyPrefix+strconv.FormatInt(s.spawns.Add(1), 10))
	n, err := newNotify(path, r.store, s.log.With("role", r.role.Name))
	if err != nil {
		return nil, err
	}
	p := &process{notify: n, exited: make(chan struct{}),
		out: &prefixer{sink: s.sink, prefix: "role=" + r.role.Name + " "}}
	start := s.spawn
	if s.opts.Host != nil {
		start = s.host
	}
	if err := start(r, p); err != nil {
		n.close()
		return nil, err
	}
	return p, nil
}

// end notes that what ran has ended.
func (p *process) end(e ending) {
	p.ended = e
	p.out.flush()
	p.notify.close()
	close(p.exited)
}

// wasKilled says whether a process that has ended was ended by SIGKILL. nil: none was started.
func wasKilled(p *process) bool { return p != nil && p.ended.signal == syscall.SIGKILL }

// attrs are for the log.
func (e *ending) attrs() []any {
	switch {
	case e.state != nil:
		return []any{"state", e.state.String(), "status", e.state.ExitCode()}
	case e.err != nil:
		return []any{"error", e.err}
	}
	return nil
}
