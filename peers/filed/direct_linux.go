package filed

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// checkDirect tells whether files of this disk can be read and written past the page cache.
func (d *disk) checkDirect() error {
	if err := d.directError(); err != nil {
		return fmt.Errorf("directory %s: %w: %w", d.dir, ErrNoDirect, err)
	}
	return nil
}

func (d *disk) directError() error {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(d.root, &st) }); err != nil {
		return err
	}
	if err := directAllowed(st.Type); err != nil {
		return err
	}
	// Some file systems refuse the flag, others only the write.
	const probe = ".direct"
	fd, err := d.open(probe, unix.O_RDWR|unix.O_CREAT|unix.O_DIRECT)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	defer func() { _ = d.unlink(probe) }()
	return d.write(fd, probe, zeros[:blockSize], 0)
}

// directAllowed refuses file systems where a direct write may reach the storage after the process
// that made it has ended: a successor would serve while it still moves.
func directAllowed(fsType int64) error {
	switch fsType {
	case unix.NFS_SUPER_MAGIC:
		return fmt.Errorf("the file system is NFS: %w", unix.EOPNOTSUPP)
	case unix.FUSE_SUPER_MAGIC:
		return fmt.Errorf("the file system is FUSE: %w", unix.EOPNOTSUPP)
	}
	return nil
}

// setDirect makes the open file's I/O direct from now on.
func setDirect(fd int) error {
	return again(func() error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err == nil {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags|unix.O_DIRECT)
		}
		return err
	})
}
