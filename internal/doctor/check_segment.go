package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"archipelago/internal/config"
	"archipelago/xseg"
)

// stuckControl is how long a control step may take before somebody hangs in it.
const stuckControl = 2 * time.Second

func checkSegment(e *env, f *found) {
	switch {
	case errors.Is(e.segErr, xseg.ErrNoSegment):
		f.summary = "the node is not running"
		f.note("segment "+e.cfg.SegmentName+" is not there: the node is not running", startIt(e.cfg))
		return
	case errors.Is(e.segErr, os.ErrPermission):
		f.problem(e.segErr.Error(), "Run this as root or as a member of group "+account+".")
		return
	case errors.Is(e.segErr, xseg.ErrVersion):
		f.problem(e.segErr.Error(), "It was made by another version: stop the node with that one's programs, or restart it.")
		return
	case e.segErr != nil:
		f.problem(e.segErr.Error(), "Stop the node, remove the file in /dev/shm, and start it.")
		return
	}
	info := e.seg.Info()
	f.summary = fmt.Sprintf("%s: %d MiB, %d MiB used", info.Name, info.SizeBytes>>20, max(info.BackedBytes, 0)>>20)
	if c := info.Control; c.Step != "" && c.For > stuckControl {
		f.problem(fmt.Sprintf("pid %d has been in control step %s for %v: nobody can connect", c.PID, c.Step,
			c.For.Round(time.Second)), fmt.Sprintf("If it hangs or is stopped (ps -o stat,wchan %d), kill it with signal 9.", c.PID))
	}
	if n := info.VolumesMissed; n > 0 {
		f.note(fmt.Sprintf("%d volumes were served without counters: all %d rows were in use", n, info.Volumes),
			"Harmless; a larger SEGMENT_SIZE has more.")
	}
	if used, limit := len(e.seg.Channels()), info.Channels; used*10 > limit*9 {
		f.warn(fmt.Sprintf("%d of %d channels of the segment are in use", used, limit),
			"Use fewer clients, or raise SEGMENT_PORTS and restart the node.")
	}
	e.checkRoles(f)
}

func startIt(cfg *config.Config) string {
	if cfg.Dir != "" {
		return "archipelago run -d " + cfg.Dir
	}
	return "archipelago start"
}

// checkRoles looks for roles that are down while the segment is there.
func (e *env) checkRoles(f *found) {
	var down []string
	for i := range e.cfg.Roles {
		name := e.cfg.Roles[i].Name
		if !slices.ContainsFunc(e.ports, func(p xseg.PortInfo) bool { return p.Role == name && p.Alive }) {
			down = append(down, name)
		}
	}
	if len(down) > 0 {
		f.problem("not running: "+strings.Join(down, ", "), "See `archipelago status` and the log of the role; then "+
			startIt(e.cfg)+".")
	}
}
