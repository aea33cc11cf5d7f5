package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

//go:embed yardstick/roundtrip.c
var roundtripC []byte

// yardstick is the built C program; its zero value stands for none.
type yardstick struct {
	path string
	skip string // why there is none
}

// newYardstick builds it in dir.
func newYardstick(ctx context.Context, dir string) (yardstick, error) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return yardstick{skip: "no C compiler (cc) is installed"}, nil
	}
	source, path := filepath.Join(dir, "roundtrip.c"), filepath.Join(dir, "roundtrip")
	if err := os.WriteFile(source, roundtripC, 0o600); err != nil {
		return yardstick{}, err
	}
	if out, err := exec.CommandContext(ctx, cc, "-O2", "-o", path, source).CombinedOutput(); err != nil {
		return yardstick{skip: fmt.Sprintf("it can't be built: %v: %.200s", err, out)}, nil
	}
	return yardstick{path: path}, nil
}

// measure runs it.
func (y yardstick) measure(ctx context.Context, hops, depth int, d time.Duration) (rate, error) {
	cmd := exec.CommandContext(ctx, y.path, strconv.Itoa(hops), strconv.Itoa(depth), fmt.Sprint(d.Seconds()))
	// It ends its servers by a signal to its process group: which must not be ours.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return rate{}, fmt.Errorf("yardstick: %w", err)
	}
	var n, ns float64
	if _, err := fmt.Sscan(string(out), &n, &ns); err != nil || ns <= 0 {
		return rate{}, fmt.Errorf("yardstick printed %q", out)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // with its servers'
	return rate{perSecond: n / (ns / 1e9), cpu: float64(cpu) / max(n, 1)}, nil
}
