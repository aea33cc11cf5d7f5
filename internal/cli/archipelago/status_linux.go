package archipelago

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

// process is what /proc tells everybody about a process.
type process struct {
	since  time.Time
	memory int64 // bytes of its own: neither files nor the segment
}

// clockTick is the unit of times in /proc/PID/stat; it is the same on every Linux.
const clockTick = time.Second / 100

// Fields of /proc/PID/stat that count from the closing bracket of the command name, which may
// contain anything.
const statStart = 19

func readProcess(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	ticks, err := startTicks(stat)
	if err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return process{}, err
	}
	age := time.Duration(now.Nano()) - time.Duration(ticks)*clockTick
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return process{}, err
	}
	return process{since: time.Now().Add(-age).Round(time.Second), memory: anonymous(status)}, nil
}

func startTicks(stat []byte) (int64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= statStart {
		return 0, errors.New("malformed stat")
	}
	return strconv.ParseInt(string(fields[statStart]), 10, 64)
}

// anonymous returns the bytes that /proc/PID/status calls RssAnon; -1 if it doesn't say.
func anonymous(status []byte) int64 {
	for line := range strings.Lines(string(status)) {
		text, ok := strings.CutPrefix(line, "RssAnon:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
		if err == nil {
			return kib << 10
		}
	}
	return -1
}

// kernelModules says which modules for mapped devices are there, loaded or built in.
func kernelModules() []module {
	var list []module
	for _, name := range []string{"fuse", "loop", "nbd"} {
		_, err := os.Stat("/sys/module/" + name)
		list = append(list, module{Name: name, Loaded: err == nil})
	}
	return list
}

func (v *statusView) lookStores(cfg *config.Config) {
	for _, r := range cfg.Roles {
		if r.Type != config.TypeFile {
			continue
		}
		var st unix.Statfs_t
		err := unix.EINTR
		for err == unix.EINTR { // by the runtime's own signals
			err, _ = unix.Statfs(r.ArchipDir, &st).(unix.Errno)
		}
		if err != 0 {
			v.note("storage of "+r.Name, fmt.Errorf("%s: %w", r.ArchipDir, err))
			continue
		}
		v.Stores = append(v.Stores, storeStatus{Role: r.Name, Path: r.ArchipDir,
			Total: int64(st.Blocks) * st.Bsize, Free: int64(st.Bavail) * st.Bsize})
	}
}
