package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	"archipelago/xseg"
)

const (
	// The locks of ports give no sign when they are freed: they are looked at again and again.
	orphanPoll = 20 * time.Millisecond
	orphanTell = 5 * time.Second
)

// clearStale takes away the segment that a killed supervisor left. First its peers must be gone: a
// peer that still runs may be writing to the storage. They were told to die with their supervisor,
// so what remains is killed and waited for, without limit (a process in uninterruptible I/O can't
// die before that ends), saying who it is.
func clearStale(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	seg, err := xseg.Join(cfg.SegmentName)
	switch {
	case errors.Is(err, xseg.ErrNoSegment):
		return nil
	case errors.Is(err, xseg.ErrVersion), errors.Is(err, xseg.ErrCorrupt):
		return clearUnreadable(cfg, log, err)
	case err != nil:
		return err
	}
	log.Warn("removing the segment of a killed predecessor", "segment", cfg.SegmentName)
	err = reapOrphans(ctx, cfg, seg, log)
	for _, p := range seg.Ports() {
		if err == nil && p.Alive {
			log.Warn("a client of the predecessor will fail", "role", p.Role, "port", p.No, "pid", p.PID)
		}
	}
	if err = errors.Join(err, seg.Leave()); err != nil {
		return fmt.Errorf("stale segment %s: %w", cfg.SegmentName, err)
	}
	return destroy(cfg.SegmentName)
}

// clearUnreadable takes away a segment of another version, or a damaged one. Its tables can't be
// read, but a bound port is a lock on the file in every version.
func clearUnreadable(cfg *config.Config, log *slog.Logger, why error) error {
	used, err := locked(filepath.Join("/dev/shm", cfg.SegmentName))
	if err != nil {
		return fmt.Errorf("%w: is it in use? %w", why, err)
	}
	if used {
		return fmt.Errorf("%w, and a process still uses it", why)
	}
	log.Warn("removing a stale segment that can't be read", "segment", cfg.SegmentName, "error", why)
	return destroy(cfg.SegmentName)
}

// locked says whether anybody holds a lock on any part of a file.
func locked(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	// Length 0: to the end, however far that is. A write lock is in the way of any other.
	query := unix.Flock_t{Type: unix.F_WRLCK}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &query)
	return query.Type != unix.F_UNLCK, err
}

// destroy removes a segment that no peer uses, whatever clients are joined.
func destroy(name string) error {
	if err := xseg.Destroy(name, true); err != nil && !errors.Is(err, xseg.ErrNoSegment) {
		return err
	}
	return nil
}

// reapOrphans kills the peers of a segment and returns when they have released their ports.
func reapOrphans(ctx context.Context, cfg *config.Config, seg *xseg.Segment, log *slog.Logger) error {
	tick := time.NewTicker(orphanPoll)
	defer tick.Stop()
	var told time.Time
	for {
		alive := orphans(cfg, seg)
		if len(alive) == 0 {
			return nil
		}
		tell := time.Since(told) >= orphanTell
		if tell {
			told = time.Now()
		}
		for _, p := range alive {
			if tell {
				log.Warn("waiting for an orphaned peer to die", "role", p.Role, "pid", p.PID)
			}
			killHolder(seg, p)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// orphans returns the ports of configured roles that a living process holds.
func orphans(cfg *config.Config, seg *xseg.Segment) []xseg.PortInfo {
	var alive []xseg.PortInfo
	for _, p := range seg.Ports() {
		if p.Alive && roleOfPort(cfg, int(p.No)) != nil {
			alive = append(alive, p)
		}
	}
	return alive
}

func roleOfPort(cfg *config.Config, no int) *config.Role {
	for i := range cfg.Roles {
		if r := &cfg.Roles[i]; r.PortStart <= no && no <= r.PortEnd {
			return r
		}
	}
	return nil
}

// killHolder kills the process that holds a port. The descriptor pins the process; that it still
// holds the port then proves that the pid wasn't reused. Failure means that it is gone, or is seen
// at the next look.
func killHolder(seg *xseg.Segment, p xseg.PortInfo) {
	if p.PID <= 1 || p.PID == os.Getpid() {
		return
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for _, now := range seg.Ports() {
		if now.No == p.No && now.Alive && now.PID == p.PID && now.Incarnation == p.Incarnation {
			// The only failure left is that it has just died.
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			return
		}
	}
}
