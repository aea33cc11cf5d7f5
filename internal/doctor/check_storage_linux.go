package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

// slowSync is how long one small sync may take: each flush of a guest waits for some.
const slowSync = time.Second

func checkStorage(e *env, f *found) {
	var dirs []string
	for i := range e.cfg.Roles {
		r := &e.cfg.Roles[i]
		switch r.Type {
		case config.TypeRados:
			if _, err := os.Stat(e.cfg.CephConf); err != nil {
				f.problem(fmt.Sprintf("%s: CEPH_CONF_FILE: %v", r.Name, err), "Install the configuration of the Ceph cluster.")
			}
		case config.TypeFile:
			for _, dir := range []string{r.ArchipDir, r.LockDir} {
				if dir != "" && !slices.Contains(dirs, dir) {
					dirs = append(dirs, dir)
					e.checkDirectory(f, r, dir)
				}
			}
		}
	}
	f.summary = fmt.Sprintf("%d directories", len(dirs))
}

func (e *env) checkDirectory(f *found, r *config.Role, dir string) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if e.cfg.Dir == "" || e.seg != nil { // a node in a directory makes its own at its start
			f.problem(fmt.Sprintf("%s: %s does not exist", r.Name, dir), "Mount the storage, or create the directory.")
		}
		return
	}
	s, err := e.space(dir)
	if err != nil {
		f.problem(fmt.Sprintf("%s: %v", r.Name, err), "See whether the storage is mounted and answers.")
		return
	}
	e.checkKind(f, r, dir, &s)
	checkRoom(f, r, dir, &s)
	took, err := probe(dir)
	switch {
	case errors.Is(err, unix.EROFS):
		f.problem(fmt.Sprintf("%s: %s is read-only", r.Name, dir), "See the kernel's log (dmesg): a file system with errors is set read-only.")
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 && e.cfg.Dir == "":
		f.note(fmt.Sprintf("%s: you may not write to %s: not tested", r.Name, dir), "Run this as root.")
	case err != nil:
		f.problem(fmt.Sprintf("%s: %s: %v", r.Name, dir, err), doProbe(err))
	case took > slowSync:
		f.warn(fmt.Sprintf("%s: one sync in %s took %v", r.Name, dir, took.Round(time.Millisecond)),
			"Every flush of a guest waits for syncs: look at the load of the storage.")
	}
}

func (e *env) checkKind(f *found, r *config.Role, dir string, s *space) {
	switch s.kind {
	case "tmpfs", "ramfs":
		f.warn(fmt.Sprintf("%s: %s is %s: the volumes are gone when the machine is switched off", r.Name, dir, s.kind),
			"Fine for a test; else put it on a disk.")
	case "fat":
		f.problem(fmt.Sprintf("%s: %s is %s, which has no links", r.Name, dir, s.kind), "Use ext4, xfs or NFS.")
	case "nfs", "fuse", "cifs":
		if r.Direct {
			f.problem(fmt.Sprintf("%s: direct = True, and %s is %s: a write could land after its process has died", r.Name, dir, s.kind),
				"Set 'direct': False.")
		}
	case "ext4", "xfs", "btrfs", "zfs":
		if e.cfg.Nodes == "shared" {
			f.note(fmt.Sprintf("%s: %s is %s, which one machine alone can use, and nodes = 'shared'", r.Name, dir, s.kind),
				"If this node is alone: nodes = 'single'.")
		}
	}
}

func checkRoom(f *found, r *config.Role, dir string, s *space) {
	report := func(part, all int64, what string) {
		if all <= 0 {
			return
		}
		level, text := Warning, fmt.Sprintf("%s: %s has %.1f %% of its %s left", r.Name, dir, 100*float64(part)/float64(all), what)
		switch {
		case part*100 < all:
			level, text = Problem, text+": writes of guests fail when it is full"
		case part*10 >= all:
			return
		}
		f.add(level, text, "Remove volumes and snapshots that nobody needs (vlmc list, vlmc du), or add space.")
	}
	report(s.availBytes, s.sizeBytes, "space")
	report(s.filesAvail, s.files, "inodes")
}

// errLink says that the file system doesn't do what locks are made of.
var errLink = errors.New("link() doesn't work as locks need it")

func doProbe(err error) string {
	switch {
	case errors.Is(err, errLink):
		return "Locks need hard links: use ext4, xfs or NFS."
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "Remove something: vlmc remove works on a full storage."
	}
	return "See the kernel's log (dmesg) and the rights of the directory."
}

// probe does in a directory of its own what a blocker does: create, write, sync, link, rename,
// remove. It returns how long the syncs took.
func probe(dir string) (took time.Duration, err error) {
	own, err := os.MkdirTemp(dir, ".doctor-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(own)) }()
	a, b := filepath.Join(own, "a"), filepath.Join(own, "b")
	file, err := os.Create(a)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.Write(make([]byte, 4096)); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := errors.Join(file.Sync(), syncDir(own)); err != nil {
		return 0, err
	}
	took = time.Since(begun)
	if err := os.Link(a, b); err != nil {
		return took, fmt.Errorf("%w: %w", errLink, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(a, &st); err != nil {
		return took, &os.PathError{Op: "stat", Path: a, Err: err}
	}
	if st.Nlink != 2 {
		return took, fmt.Errorf("%w: a file with two names counts %d", errLink, st.Nlink)
	}
	if err := os.Link(a, b); !errors.Is(err, fs.ErrExist) {
		return took, fmt.Errorf("%w: a second one isn't refused", errLink)
	}
	return took, os.Rename(a, b+"2")
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
