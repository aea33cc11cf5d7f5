package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

func checkPermissions(e *env, f *found) {
	e.checkRuntimeDir(f)
	e.checkSegmentFile(f)
	uid, ok := e.daemonUID()
	if !ok {
		return
	}
	for i := range e.cfg.Roles {
		if r := &e.cfg.Roles[i]; r.Type == config.TypeFile {
			ownedBy(f, r.Name, r.ArchipDir, uid)
			ownedBy(f, r.Name, r.LockDir, uid)
		}
	}
}

func (e *env) checkRuntimeDir(f *found) {
	dir := e.cfg.RuntimeDir
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if e.seg != nil {
			f.problem("runtime directory "+dir+" is missing: nobody can connect to the node", "Restart the node, which makes it.")
		}
	case err != nil:
		f.problem(err.Error(), "Run this as root or as a member of group "+account+".")
	case !st.IsDir():
		f.problem(dir+" is not a directory", "Remove it, or change RUNTIME_DIR.")
	case st.Mode().Perm()&0o002 != 0:
		f.problem(fmt.Sprintf("runtime directory %s has mode %04o: anybody can put sockets there", dir, st.Mode().Perm()),
			"chmod o-w "+dir)
	case unix.Access(dir, unix.R_OK|unix.X_OK) != nil:
		f.warn("you may not look into runtime directory "+dir, "Run this as root or as a member of group "+account+".")
	}
}

// checkSegmentFile sees to it that nobody but the group reads what guests write.
func (e *env) checkSegmentFile(f *found) {
	path := filepath.Join(e.shm, e.cfg.SegmentName)
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o007 != 0 {
		f.problem(fmt.Sprintf("segment file %s has mode %04o: others see what guests read and write", path, st.Mode().Perm()),
			"chmod o= "+path)
	}
}

// daemonUID is the user that the daemons of a configured node run as; false if that isn't known.
func (e *env) daemonUID() (uint32, bool) {
	if e.cfg.Dir != "" {
		return uint32(os.Geteuid()), true
	}
	u, err := user.Lookup(account)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), err == nil
}

// ownedBy looks at who may write to a directory of the storage. On a network file system the server
// may see it otherwise: the check of the storage writes.
func ownedBy(f *found, role, dir string, uid uint32) {
	var st unix.Stat_t
	if dir == "" || unix.Stat(dir, &st) != nil || uid == 0 {
		return
	}
	if st.Mode&0o002 != 0 {
		f.problem(fmt.Sprintf("%s: %s may be written by anybody", role, dir), "chmod o-w "+dir)
	}
	if st.Uid != uid && st.Mode&0o020 == 0 {
		f.problem(fmt.Sprintf("%s: %s belongs to uid %d, and the daemons are uid %d", role, dir, st.Uid, uid),
			fmt.Sprintf("chown -R %d %s", uid, dir))
	}
}
