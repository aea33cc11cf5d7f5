package leak

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"archipelago/peers/peer"
	"archipelago/test/testnode"
	"archipelago/xseg"
)

// use is what a node uses at one moment: names and counts, which must be equal when the node is in
// the same state again.
type use map[string]int64

// measure counts everything. Nobody may use the node meanwhile.
func measure(t *testing.T, n *testnode.Node) use {
	t.Helper()
	u := use{}
	c := control(t, n)
	processes := pids(t, c)
	c.Close()
	for role, pid := range processes {
		goroutines, files := ask(t, n, pid)
		u["goroutines of "+role] = goroutines
		u["descriptors of "+role] = files
		u["descriptors of removed files of "+role] = removed(t, pid)
	}
	u["descriptors of the supervisor"] = entries(t, fmt.Sprintf("/proc/%d/fd", n.Supervisor()))
	segment(t, n, u)
	u["files in /dev/shm"] = inShm(t, n)
	u["files in the runtime directory"] = files(t, n.Config().RuntimeDir)
	for _, dir := range []string{"blocks", "maps", "locks"} {
		u["files in "+dir] = files(t, filepath.Join(n.Dir, dir))
	}
	return u
}

var useLine = regexp.MustCompile(`msg=use pid=(\d+) goroutines=(\d+) descriptors=(\d+)`)

// ask makes a peer log what it uses (peer.DebugSignal), and returns the answer.
func ask(t *testing.T, n *testnode.Node, pid int) (goroutines, files int64) {
	t.Helper()
	seen := len(n.Log())
	if err := syscall.Kill(pid, peer.DebugSignal); err != nil {
		t.Fatal(err)
	}
	waitFor(t, fmt.Sprintf("what process %d uses", pid), func() bool {
		for _, m := range useLine.FindAllStringSubmatch(n.Log()[seen:], -1) {
			if m[1] == strconv.Itoa(pid) {
				goroutines, _ = strconv.ParseInt(m[2], 10, 64)
				files, _ = strconv.ParseInt(m[3], 10, 64)
				return true
			}
		}
		return false
	})
	return goroutines, files
}

func segment(t *testing.T, n *testnode.Node, u use) {
	t.Helper()
	seg, err := xseg.Join(n.Config().SegmentName)
	if err != nil {
		t.Fatal(err)
	}
	defer seg.Leave()
	u["ports"] = int64(len(seg.Ports()))
	for _, c := range seg.Channels() {
		u["channels "+c.State]++
		u["requests in flight"] += int64(c.InFlight)
		if c.State != "live" {
			u["memory of dead channels"] += c.MemoryBytes()
		}
	}
	u["waiters"] = int64(seg.Info().WaitersUsed)
	u["memory of the segment"] = seg.Info().BackedBytes
}

// inShm counts the files of this node in /dev/shm, in its directories there too.
func inShm(t *testing.T, n *testnode.Node) (count int64) {
	t.Helper()
	tops, err := filepath.Glob("/dev/shm/*" + n.Config().SegmentName + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, top := range tops {
		count += files(t, top)
	}
	return count
}

// removed counts the descriptors of a process whose files have no name any more.
func removed(t *testing.T, pid int) (count int64) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasSuffix(to, " (deleted)") {
			count++
		}
	}
	return count
}

// collectable is what a cycle leaves on purpose, until garbage is collected: a tombstone for each
// name that was removed, the lock's chain (so that its generations never begin anew), and where a
// snapshot was, what it and its volume might have shared. A blocker may keep each such file open.
func collectable(cycles, withSnapshot int64) use {
	u := use{
		"files in locks":  lockFiles * cycles,
		"files in maps":   cycles + 3*withSnapshot,
		"files in blocks": 2 * withSnapshot,
	}
	u["descriptors of blockerb"] = u["files in blocks"]
	u["descriptors of blockerm"] = u["files in maps"] + u["files in locks"]
	return u
}

// interrupted is what restarts may add to that: a removed volume's objects are freed in the
// background, and what a mapper was at when it ended is left to the garbage collection.
func interrupted(restarts int64) use {
	return use{"files in maps": restarts, "files in blocks": restarts,
		"descriptors of blockerb": restarts, "descriptors of blockerm": restarts}
}

// lockFiles is the length of the chain of a volume that was created, opened, closed and removed.
const lockFiles = 3

func (u use) plus(more use) use {
	sum := maps.Clone(u)
	for what, n := range more {
		sum[what] += n
	}
	return sum
}

// files counts the files in a directory, or a file as one.
func files(t *testing.T, dir string) (count int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			count++
		}
		return nil // what goes away while it is looked at doesn't count
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func entries(t *testing.T, dir string) int64 {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(list))
}

// grown lists what there is more of than before.
func (u use) grown(before use) (list []string) {
	for _, what := range slicesSorted(u) {
		if u[what] > before[what] {
			list = append(list, fmt.Sprintf("%s: %d, before %d", what, u[what], before[what]))
		}
	}
	return list
}

// settle waits until a node uses no more than before: what a client left is collected in time, not
// at once. It returns what stays.
func settle(t *testing.T, n *testnode.Node, before use) (now use, grown []string) {
	t.Helper()
	for range settleTries {
		now = measure(t, n)
		if grown = now.grown(before); len(grown) == 0 {
			return now, nil
		}
		pause()
	}
	return now, grown
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return err != nil || strings.HasPrefix(string(rest), "Z")
}

func slicesSorted(u use) []string {
	keys := make([]string, 0, len(u))
	for k := range maps.Keys(u) {
		keys = append(keys, k)
	}
	return sorted(keys)
}
