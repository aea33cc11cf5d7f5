package archipelago

import (
	"context"
	"errors"
	"fmt"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/device"
	"archipelago/internal/node"
	"archipelago/internal/systemd"
	"archipelago/xseg"
)

// askLimit bounds how long supervisor or systemd may take to say what they know: what counts is in
// the segment, and shown without them.
const askLimit = 3 * time.Second

// look collects everything but rates. Only what keeps the state of the node from being told is an
// error; the rest is listed as unknown.
func look(ctx context.Context, cfg *config.Config) (*statusView, error) {
	rep, err := node.Status(cfg)
	if err != nil {
		return nil, wayOut(err)
	}
	v := &statusView{Report: *rep, Locks: []string{}, Mapped: []device.Mapping{}, Stores: []storeStatus{}}
	for _, r := range rep.Roles {
		v.Peers = append(v.Peers, lookRole(r))
	}
	if v.InProcess {
		v.shareProcess()
	}
	v.note("segment", v.lookSegment())
	v.note("restarts", v.askManager(ctx, cfg))
	v.Modules = kernelModules()
	mapped, err := device.List(cfg)
	v.note("mapped volumes", err)
	v.Mapped = append(v.Mapped, mapped...)
	locks, err := lockedVolumes(cfg)
	v.note("locks", err)
	v.Locks = append(v.Locks, locks...)
	v.lookStores(cfg)
	return v, nil
}

// note remembers what couldn't be looked at.
func (v *statusView) note(what string, err error) {
	if err != nil {
		v.Unknown = append(v.Unknown, what+": "+err.Error())
	}
}

// lookRole adds what the system says of the process.
func lookRole(r node.RoleReport) roleStatus {
	s := roleStatus{RoleReport: r, Restarts: -1, Memory: -1}
	if r.PID == 0 {
		return s
	}
	// The process may just have ended: then nothing is known of it.
	if p, err := readProcess(r.PID); err == nil {
		s.Since, s.Memory = p.since, p.memory
	}
	return s
}

// shareProcess tells once what is of the process that all roles share: it is no role's own.
func (v *statusView) shareProcess() {
	for i := range v.Peers {
		p := &v.Peers[i]
		if p.PID == v.Supervisor {
			v.Memory = max(v.Memory, p.Memory)
			p.Memory, p.Since = -1, time.Time{}
		}
	}
}

func (v *statusView) lookSegment() error {
	if !v.Joined {
		return nil
	}
	seg, err := xseg.Join(v.Segment)
	if errors.Is(err, xseg.ErrNoSegment) {
		return nil // it has just gone
	}
	if err != nil {
		return err
	}
	info := seg.Info()
	v.SegmentUsed = max(info.BackedBytes, 0)
	if !info.Lease.Endless {
		v.Lease = &leaseStatus{Term: info.Lease.Term, LeftMS: info.Lease.Left.Milliseconds()}
	}
	return seg.Leave()
}

// askManager asks whoever runs the node for what only they know.
func (v *statusView) askManager(ctx context.Context, cfg *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if v.Supervisor != 0 {
		v.Manager = "run"
		return v.askSupervisor(ctx, cfg)
	}
	if cfg.Path != unitConfig {
		return nil
	}
	m, err := systemd.Connect(ctx, "")
	if errors.Is(err, systemd.ErrNoBus) || errors.Is(err, systemd.ErrNoManager) {
		return nil // a machine without systemd: nobody runs the node
	}
	if err != nil {
		return err
	}
	return errors.Join(v.askSystemd(ctx, m), m.Close())
}

func (v *statusView) askSupervisor(ctx context.Context, cfg *config.Config) error {
	c, err := node.DialControl(cfg)
	if errors.Is(err, node.ErrNoSupervisor) {
		return nil // it hasn't started all roles yet
	}
	if err != nil {
		return err
	}
	defer c.Close()
	roles, err := c.Roles(ctx)
	for _, known := range roles {
		for i := range v.Peers {
			if p := &v.Peers[i]; p.Role == known.Role {
				p.Restarts = known.Restarts
				if v.InProcess {
					p.Since = known.Since.Round(time.Second)
				}
				if !known.Ready {
					p.Detail = string(known.State)
				}
			}
		}
	}
	return err
}

func (v *statusView) askSystemd(ctx context.Context, m *systemd.Manager) error {
	for i := range v.Peers {
		p := &v.Peers[i]
		u, err := m.Unit(ctx, systemd.Peer(p.Role))
		if errors.Is(err, systemd.ErrNoUnit) {
			return nil // the units aren't installed: systemd doesn't run this node
		}
		if err != nil {
			return err
		}
		v.Manager = "systemd"
		p.Restarts, p.CgroupBytes = u.Restarts, max(u.Memory, 0)
		p.Detail = unitDetail(u)
	}
	return nil
}

// unitDetail says what is unusual with a unit.
func unitDetail(u *systemd.Unit) string {
	if u.Active() || u.ActiveState == "inactive" && u.Cause() == "" {
		return ""
	}
	detail := u.ActiveState
	switch {
	case u.SubState == "auto-restart":
		detail = "restarting"
	case detail == "activating":
		detail = "starting"
	case detail == "deactivating":
		detail = "stopping"
	}
	if u.Restarts > 0 {
		detail += fmt.Sprintf(" (%d restarts)", u.Restarts)
	}
	if cause := u.Cause(); cause != "" {
		detail = fmt.Sprintf("%s: %s", detail, cause)
	}
	return detail
}

// rates says what the roles did since an earlier look.
func (v *statusView) rates(before *statusView, passed time.Duration) {
	v.Seconds = passed.Seconds()
	for i := range v.Peers {
		now, old := &v.Peers[i], &before.Peers[i]
		// Counters begin anew with a process.
		if now.PID == old.PID && now.Requests >= old.Requests && v.Seconds > 0 {
			now.PerSecond = float64(now.Requests-old.Requests) / v.Seconds
		}
	}
}
