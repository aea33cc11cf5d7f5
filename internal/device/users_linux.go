package device

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// checkUnused returns an InUseError if a device is mounted, part of another device, or open.
func checkUnused(device string) error {
	users := holders(device)
	users = append(users, mounts(device)...)
	users = append(users, openers(device)...)
	if len(users) == 0 && !claimed(device) {
		return nil
	}
	return &InUseError{device, users}
}

// claimed says whether somebody has a device for himself, whom it may not be possible to see: a
// mount in another name space, swap.
func claimed(device string) bool {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd) // was only looked at
	}
	return errors.Is(err, unix.EBUSY)
}

// holders are the devices that are made of this one (device mapper, RAID).
func holders(device string) []string {
	var users []string
	entries, err := os.ReadDir(sysfs(device, "holders"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		users = append(users, "part of device "+e.Name())
	}
	return users
}

// mounts are the places where it is mounted, as far as this process sees them.
func mounts(device string) []string {
	major, minor, err := number(device)
	if err != nil {
		return nil
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return mountsOf(string(table), fmt.Sprintf("%d:%d", major, minor))
}

// octal undoes how the table writes characters that would end a field.
var octal = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func mountsOf(table, number string) []string {
	var users []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) > 4 && fields[2] == number {
			users = append(users, "mounted at "+octal.Replace(fields[4]))
		}
	}
	return users
}

// openers are the processes that have it open, but this one.
func openers(device string) []string {
	var users []string
	self := fmt.Sprint(os.Getpid())
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	for _, p := range processes {
		if pid := filepath.Base(p); pid != self && opens(p, device) {
			name, _ := os.ReadFile(filepath.Join(p, "comm")) // it may have ended
			users = append(users, fmt.Sprintf("open in process %s (%s)", pid, bytes.TrimSpace(name)))
		}
	}
	return users
}

func opens(process, device string) bool {
	dir := filepath.Join(process, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false // it has ended, or is another user's
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == device {
			return true
		}
	}
	return false
}
