package metrics

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// clockTicks is USER_HZ, which is 100 on every Linux that there is for amd64.
const clockTicks = 100

// process puts what /proc says of the process of a role. What can't be read, because the process has
// ended or belongs to another user, is missing.
func process(out sink, role string, pid int) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	if f := statFields(dir + "stat"); len(f) > 20 {
		cpu := number(f[11]) + number(f[12]) // utime, stime: fields 14 and 15
		out.put(roleCPU, cpu/clockTicks, role)
		if boot := bootTime(); boot > 0 {
			out.put(roleStarted, boot+number(f[19])/clockTicks, role)
		}
	}
	if n, ok := anonymous(dir + "status"); ok {
		out.put(roleMemory, n, role)
	}
	if fds, err := os.ReadDir(dir + "fd"); err == nil {
		out.put(roleFiles, float64(len(fds)), role)
	}
}

// statFields returns the fields of a stat file from the third on: the second may hold anything.
func statFields(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// anonymous returns the resident memory of a process that it shares with nobody, in bytes.
func anonymous(path string) (float64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "RssAnon:" {
			return number(f[1]) * 1024, true
		}
	}
	return 0, false
}

// bootTime returns when the machine was started, in seconds since 1970; 0 if that isn't known.
func bootTime() float64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "btime" {
			return number(f[1])
		}
	}
	return 0
}

func number(s string) float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return n
}
