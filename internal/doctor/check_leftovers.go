package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"archipelago/xseg"
)

// checkLeftovers looks for segments and pending logs of nodes that are dead.
func checkLeftovers(e *env, f *found) {
	files, err := os.ReadDir(e.shm)
	if err != nil {
		f.note(err.Error(), "Run this as root.")
		return
	}
	var segments, logs []string
	for _, x := range files {
		name, pending := strings.CutSuffix(x.Name(), ".pending")
		if !strings.HasPrefix(name, "archip") || e.cfg != nil && name == e.cfg.SegmentName {
			continue
		}
		switch {
		case pending && x.IsDir() && e.leftPending(name):
			logs = append(logs, name)
		case !x.IsDir() && leftSegment(name):
			segments = append(segments, name)
		}
	}
	if len(segments) > 0 {
		f.note("segments of nodes that don't run; they go when those are started again, or by hand (xseg destroy): "+
			strings.Join(segments, ", "), "")
	}
	if len(logs) > 0 {
		f.note("pending logs of nodes that were killed; to remove them would lose writes that guests were told are done: "+
			strings.Join(logs, ", "), "Start those nodes again: they take them over.")
	}
	f.summary = fmt.Sprintf("%d in %s", len(segments)+len(logs), e.shm)
}

// leftSegment tells whether nobody lives in a segment any more.
func leftSegment(name string) bool {
	s, err := xseg.Join(name)
	if err != nil {
		return false // of another version, or user: not to be judged
	}
	defer s.Leave()
	return !slices.ContainsFunc(s.Ports(), func(p xseg.PortInfo) bool { return p.Alive })
}

// leftPending tells whether there are logs of acknowledged writes that no flush has made durable, and
// no segment of their node.
func (e *env) leftPending(name string) bool {
	if s, err := xseg.Join(name); err == nil { // reported, if at all, as a segment
		_ = s.Leave() // only looked at
		return false
	}
	files, err := os.ReadDir(filepath.Join(e.shm, name+".pending"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(files, func(x os.DirEntry) bool {
		return !strings.HasPrefix(x.Name(), "node.") && !strings.HasPrefix(x.Name(), "dirty.")
	})
}
