package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
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

// processorTimes are the machine's, in ticks since boot: all, and what a host of virtual machines
// gave to others while we wanted it.
type processorTimes struct{ all, stolen uint64 }

// atStart is read before anything is measured.
var atStart = readProcessorTimes()

func readProcessorTimes() (t processorTimes) {
	text, _ := os.ReadFile("/proc/stat") // zeros if there is none: then nothing is said
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil || i > stolenField {
			continue // the name; guests' time is counted in user's already
		}
		t.all += n
		if i == stolenField {
			t.stolen = n
		}
	}
	return t
}

// stolenField is where /proc/stat has the stolen time, counted from the name of the line.
const stolenField = 8

// stolenLine says how much of the machine others had during the run: where it isn't next to
// nothing, single numbers say little, and medians of ratios not much more.
func stolenLine() string {
	now := readProcessorTimes()
	all, stolen := now.all-atStart.all, now.stolen-atStart.stolen
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("\nOf the processors' time during the run the host of this virtual machine gave %.0f %% to others.\n",
		100*float64(stolen)/float64(all))
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
