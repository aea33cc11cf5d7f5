package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sysfs returns the path of an attribute of a block device.
func sysfs(device, attribute string) string {
	return filepath.Join("/sys/class/block", filepath.Base(device), attribute)
}

// attribute returns an attribute of a block device, "" if there is none.
func attribute(device, name string) string {
	b, err := os.ReadFile(sysfs(device, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number returns the device number of a block device by its name.
func number(device string) (major, minor uint32, err error) {
	text := attribute(device, "dev")
	a, b, _ := strings.Cut(text, ":")
	x, err1 := strconv.ParseUint(a, 10, 32)
	y, err2 := strconv.ParseUint(b, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, fmt.Errorf("device number %q of %s: %w", text, device, err)
	}
	return uint32(x), uint32(y), nil
}

// udevPatience is how long the file of a new device may take to appear where udev makes it.
const udevPatience = 2 * time.Second

// node sees to it that the file of a device is there: udev, or the kernel's own devtmpfs, makes it
// where there is one; in a container nobody does.
func node(device string) error {
	for end := time.Now().Add(udevPatience); ; time.Sleep(10 * time.Millisecond) {
		_, err := os.Stat(device)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// No event tells when udev is done, or that there is none.
		if _, err := os.Stat("/run/udev/control"); err != nil || time.Now().After(end) {
			break
		}
	}
	major, minor, err := number(device)
	if err != nil {
		return err
	}
	err = unix.Mknod(device, unix.S_IFBLK|0o660, int(unix.Mkdev(major, minor)))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make the file %s: %w", device, err)
	}
	return nil
}

// dropCache writes and forgets what the kernel has cached of a device.
func dropCache(device string) error {
	f, err := os.OpenFile(device, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", device, err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKFLSBUF, 0); err != nil {
		return fmt.Errorf("drop the cache of %s: %w", device, err)
	}
	return nil
}
