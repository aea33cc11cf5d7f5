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
	left := 0
	for _, x := range files {
		name, pending := strings.CutSuffix(x.Name(), ".pending")
		if !strings.HasPrefix(name, "archip") || e.cfg != nil && name == e.cfg.SegmentName {
			continue
		}
		switch {
		case pending && x.IsDir():
			left += e.leftPending(f, name)
		case !x.IsDir():
			left += e.leftSegment(f, name)
		}
	}
	f.summary = fmt.Sprintf("%d in %s", left, e.shm)
}

// leftSegment reports a segment in which nobody lives any more.
func (e *env) leftSegment(f *found, name string) int {
	s, err := xseg.Join(name)
	if err != nil {
		return 0 // of another version, or user: not to be judged
	}
	defer s.Leave()
	if slices.ContainsFunc(s.Ports(), func(p xseg.PortInfo) bool { return p.Alive }) {
		return 0
	}
	f.note(fmt.Sprintf("segment %s of a node that doesn't run takes %d KiB", name, max(s.Info().BackedBytes, 0)>>10),
		"It goes when that node is started again; or: xseg destroy "+name)
	return 1
}

// leftPending reports logs of acknowledged writes that no flush has made durable. They are not to be
// removed: the next start of their node needs them.
func (e *env) leftPending(f *found, name string) int {
	if s, err := xseg.Join(name); err == nil { // reported, if at all, as a segment
		_ = s.Leave() // only looked at
		return 0
	}
	files, err := os.ReadDir(filepath.Join(e.shm, name+".pending"))
	if err != nil {
		return 0
	}
	logs := 0
	for _, x := range files {
		if !strings.HasPrefix(x.Name(), "node.") && !strings.HasPrefix(x.Name(), "dirty.") {
			logs++
		}
	}
	if logs == 0 {
		return 0
	}
	f.note(fmt.Sprintf("node %s was killed with %d pending logs: writes that its guests were told are done", name, logs),
		"Start that node again; it takes them over. Don't remove them before.")
	return 1
}
