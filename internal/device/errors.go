package device

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoDriver: the machine has no driver that could map a volume.
var ErrNoDriver = errors.New("no driver for block devices")

// Exit statuses that errors of this package ask for; they are those of the command lines.
const (
	exitNotFound = 10
	exitExists   = 11
	exitBusy     = 12
)

// NotMappedError: What, a name or a device, isn't mapped.
type NotMappedError struct{ What string }

func (e *NotMappedError) Error() string {
	if strings.HasPrefix(e.What, "/") {
		return fmt.Sprintf("device %s is not that of a mapped volume", e.What)
	}
	return fmt.Sprintf("volume %s is not mapped", e.What)
}

// ExitCode is the exit status of a command that fails so.
func (e *NotMappedError) ExitCode() int { return exitNotFound }

// MappedError: the volume is mapped, and must not be for what was tried.
type MappedError struct{ Mapping Mapping }

func (e *MappedError) Error() string {
	return fmt.Sprintf("volume %s is mapped on device %s: unmap it first", e.Mapping.Name, e.Mapping.Device)
}

// ExitCode is the exit status of a command that fails so.
func (e *MappedError) ExitCode() int { return exitBusy }

// ModeError: the volume is mapped the other way.
type ModeError struct{ Mapping Mapping }

func (e *ModeError) Error() string {
	mode := "for reading and writing"
	if e.Mapping.ReadOnly {
		mode = "read-only"
	}
	return fmt.Sprintf("volume %s is mapped already, %s, on device %s", e.Mapping.Name, mode, e.Mapping.Device)
}

// ExitCode is the exit status of a command that fails so.
func (e *ModeError) ExitCode() int { return exitExists }

// InUseError: somebody uses the device.
type InUseError struct {
	Device string
	Users  []string // who, in words
}

func (e *InUseError) Error() string {
	who := "by a process that can't be seen from here"
	if len(e.Users) > 0 {
		who = strings.Join(e.Users, ", ")
	}
	return fmt.Sprintf("device %s is in use: %s", e.Device, who)
}

// ExitCode is the exit status of a command that fails so.
func (e *InUseError) ExitCode() int { return exitBusy }
