package shm

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pfExiting is the kernel's flag of a task that has begun to end.
const pfExiting = 0x4

// Process is what tells a process from others that had or will have its id.
type Process struct {
	PID       int
	StartTime uint64 // clock ticks since boot
}

// Self returns the calling process.
func Self() (Process, error) {
	pid := os.Getpid()
	st, err := readStat(pid)
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, StartTime: st.start}, nil
}

// Ending tells whether the process is gone, or can't but go: a zombie, exiting, or killed while
// it is stuck in the kernel.
func (p Process) Ending() bool {
	st, err := readStat(p.PID)
	if err != nil || st.start != p.StartTime {
		return true
	}
	return st.state == 'Z' || st.state == 'X' || st.flags&pfExiting != 0 || killPending(p.PID)
}

type procStat struct {
	state byte
	flags uint64
	start uint64
}

// readStat reads /proc/PID/stat; the command name in it may contain anything, so the fields are
// counted from its closing bracket.
func readStat(pid int) (procStat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return procStat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	flags, err1 := strconv.ParseUint(fields[6], 10, 64)
	start, err2 := strconv.ParseUint(fields[19], 10, 64)
	if err1 != nil || err2 != nil {
		return procStat{}, fmt.Errorf("/proc/%d/stat is malformed", pid)
	}
	return procStat{state: fields[0][0], flags: flags, start: start}, nil
}

// killPending tells whether SIGKILL waits for the process.
func killPending(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return os.IsNotExist(err)
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		if name != "SigPnd" && name != "ShdPnd" {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err == nil && mask&(1<<(unix.SIGKILL-1)) != 0 {
			return true
		}
	}
	return false
}

// BootID returns the random id of this boot.
func BootID() (id [16]byte) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	text := strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")
	for i := range id {
		if 2*i+2 > len(text) {
			break
		}
		v, _ := strconv.ParseUint(text[2*i:2*i+2], 16, 8)
		id[i] = byte(v)
	}
	return id
}
