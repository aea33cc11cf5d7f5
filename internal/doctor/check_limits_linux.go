package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"archipelago/internal/config"
)

// minShared is what /dev/shm should have left: requests wait when there is none.
const minShared = 64 << 20

// spareFiles are those that a peer has open beside the objects: channels, sockets, logs.
const spareFiles = 256

func checkLimits(e *env, f *found) {
	e.checkShared(f)
	e.checkMemoryFree(f)
	for i := range e.cfg.Roles {
		e.checkFiles(f, &e.cfg.Roles[i])
		if e.shared {
			break // one process has all roles
		}
	}
}

func (e *env) checkShared(f *found) {
	s, err := e.space(e.shm)
	if err != nil {
		f.problem(fmt.Sprintf("%s: %v", e.shm, err), "Mount a tmpfs there.")
		return
	}
	f.summary = fmt.Sprintf("%d MiB left in %s", s.availBytes>>20, e.shm)
	if s.kind != "tmpfs" {
		f.warn(fmt.Sprintf("%s is %s, not tmpfs: shared memory would be written to a disk", e.shm, s.kind), "Mount a tmpfs there.")
	}
	if s.availBytes < e.free {
		f.problem(fmt.Sprintf("%s has %d MiB left: without memory for the segment requests wait", e.shm, s.availBytes>>20),
			"Remove what else lies there (ls -l "+e.shm+"), or: mount -o remount,size=… "+e.shm)
	}
	if limit := int64(e.cfg.SegmentSize) << 20; s.sizeBytes < limit {
		f.note(fmt.Sprintf("SEGMENT_SIZE is %d MiB, and %s has %d: under much load requests would wait for memory",
			e.cfg.SegmentSize, e.shm, s.sizeBytes>>20), "Make "+e.shm+" larger, or SEGMENT_SIZE smaller.")
	}
}

// checkMemoryFree warns where the machine has no memory to put behind the segment.
func (e *env) checkMemoryFree(f *found) {
	b, err := os.ReadFile(filepath.Join(e.proc, "meminfo"))
	if err != nil {
		f.note(err.Error(), "")
		return
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "MemAvailable:" {
			continue
		}
		if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil && kib < 128<<10 {
			f.warn(fmt.Sprintf("the machine has %d MiB of memory left", kib>>10), "End something, or add memory: peers that are killed for lack of it stall guests.")
		}
	}
}

// checkFiles compares how many files a role may have open with what it needs.
func (e *env) checkFiles(f *found, r *config.Role) {
	for _, p := range e.ports {
		if p.Role != r.Name || !p.Alive {
			continue
		}
		limit, err := openFilesLimit(filepath.Join(e.proc, strconv.Itoa(p.PID), "limits"))
		if err != nil {
			f.note(fmt.Sprintf("%s: %v", r.Name, err), "")
			return
		}
		if need := e.filesBeside(r); limit < need {
			f.warn(fmt.Sprintf("%s (pid %d) may have %d files open, and needs up to %d", r.Name, p.PID, limit, need),
				"Raise LimitNOFILE of its unit (or ulimit -n), or lower fdcache; restart the role.")
		}
		return
	}
}

// filesBeside returns how many files the process of a role may have to have open.
func (e *env) filesBeside(r *config.Role) int {
	if !e.shared {
		return r.FDCache + spareFiles
	}
	all := 0
	for i := range e.cfg.Roles {
		all += e.cfg.Roles[i].FDCache + spareFiles
	}
	return all
}

// openFilesLimit reads the soft limit out of a limits file.
func openFilesLimit(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		if fields := strings.Fields(rest); ok && len(fields) > 0 {
			if fields[0] == "unlimited" {
				return 1 << 30, nil
			}
			return strconv.Atoi(fields[0])
		}
	}
	return 0, fmt.Errorf("%s doesn't say how many files may be open", path)
}
