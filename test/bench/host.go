package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// hostLines say where the results come from, without a date: what counts is machine and command.
func hostLines() string {
	text, _ := os.ReadFile("/proc/loadavg") // only a hint: nothing depends on it
	load, _, _ := strings.Cut(string(text), " ")
	return fmt.Sprintf("`%s`\n\n%d cores (%s), Linux %s, %s. Load of the machine before: %s.\n",
		"go run ./test/bench "+strings.Join(os.Args[1:], " "), runtime.NumCPU(), cpuModel(), kernel(), runtime.Version(),
		load)
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
