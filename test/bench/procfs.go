package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has used so far, all its threads together.
type usage struct {
	cpu   time.Duration
	wakes int64 // times that a thread went to sleep by itself
}

// usageOf reads it with the precision of the scheduler, which counts nanoseconds.
func usageOf(pid int) (u usage, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return u, fmt.Errorf("process %d is gone", pid)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			return u, err
		}
		onCPU, _, _ := strings.Cut(string(stat), " ")
		ns, err := strconv.ParseInt(onCPU, 10, 64)
		if err != nil {
			return u, fmt.Errorf("%s/schedstat: %q", task, stat)
		}
		n, err := numberIn(task+"/status", "voluntary_ctxt_switches")
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ns)
		u.wakes += n
	}
	return u, nil
}

// totalTime is what a process has used so far, with the threads that have ended: those of servers
// that have one per connection. It is counted in ticks: for measurements of a second and more.
func totalTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything. The state is the first field behind it.
	_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// ticksPerSecond is what Linux tells programs on amd64, whatever the kernel was built with.
const ticksPerSecond = 100

// totalTimes adds up the total times of processes.
func totalTimes(list []named) (sum time.Duration, err error) {
	for _, p := range list {
		t, err := totalTime(p.pid)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.name, err)
		}
		sum += t
	}
	return sum, nil
}

// numberIn returns the number behind a name in a file of lines "name: number …".
func numberIn(path, name string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// privateMemory returns the resident bytes of a process but for the segment: what it shares with
// others (its program) counts in parts.
func privateMemory(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	var sum int64
	for _, name := range []string{"Pss_Anon", "Pss_File"} {
		kib, err := numberIn(path, name)
		if err != nil {
			return 0, err
		}
		sum += kib << 10
	}
	return sum, nil
}
