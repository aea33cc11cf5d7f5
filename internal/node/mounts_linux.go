package node

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// detachMounts takes away the file systems of volumes that a killed predecessor left below dir: the
// directory can't be removed with them, and this run may have no role that would do it. What fails
// shows when the directory is removed.
func detachMounts(dir string) {
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return
	}
	defer table.Close()
	for lines := bufio.NewScanner(table); lines.Scan(); {
		path, ours := volumesMount(lines.Text())
		if !ours || !strings.HasPrefix(path, dir+"/") {
			continue
		}
		if errors.Is(syscall.Unmount(path, syscall.MNT_DETACH), syscall.EPERM) {
			_ = exec.Command("fusermount3", "-uz", "--", path).Run()
		}
	}
}

// volumesMount returns where a line of mountinfo mounts, and whether it is a file system of fused.
// Runtime directories have no characters that the table would write otherwise.
func volumesMount(line string) (path string, ours bool) {
	left, right, _ := strings.Cut(line, " - ")
	fields := strings.Fields(left)
	return strings.Join(fields[min(4, len(fields)):min(5, len(fields))], ""), strings.HasPrefix(right, "fuse.archipelago ")
}
