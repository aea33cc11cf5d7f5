package doctor

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// space is what a file system says of itself.
type space struct {
	kind                  string
	sizeBytes, availBytes int64
	files, filesAvail     int64 // 0, 0: no limit
}

// kinds of file systems, as far as they matter here.
var kinds = map[int64]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.NFS_SUPER_MAGIC: "nfs", unix.FUSE_SUPER_MAGIC: "fuse",
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.RAMFS_MAGIC: "ramfs", unix.MSDOS_SUPER_MAGIC: "fat",
	unix.CIFS_SUPER_MAGIC: "cifs", 0x00c36400: "ceph", 0x2fc12fc1: "zfs", 0x01161970: "gfs2",
	0x7461636f: "ocfs2",
}

func spaceOf(dir string) (space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return space{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	kind := kinds[st.Type]
	if kind == "" {
		kind = fmt.Sprintf("type %#x", st.Type)
	}
	return space{kind, int64(st.Blocks) * st.Bsize, int64(st.Bavail) * st.Bsize, int64(st.Files), int64(st.Ffree)}, nil
}

// moduleDir is where the modules of the running kernel are.
func moduleDir() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return "/lib/modules/" + unix.ByteSliceToString(u.Release[:])
}

// clockSynced tells whether something keeps the clock right.
func clockSynced() (bool, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return state != unix.TIME_ERROR, err
}
