package xsegtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"archipelago/xseg/internal/step"
)

// killEnv tells a child at which step to die, and how often to pass it before: "name:count".
const killEnv = "XSEGTEST_KILL"

// KillAt is the environment variable that makes a child kill itself at the count-th time that it
// comes to a step.
func KillAt(name string, count int) string { return fmt.Sprintf("%s=%s:%d", killEnv, name, count) }

// SubmitterSteps, ServerSteps and ControlSteps are the steps that each kind of process passes.
var (
	SubmitterSteps = []string{
		step.PublishState, step.PublishEntry, step.PublishTail, step.HarvestBits, step.WakeWord,
		step.ControlLocked, step.ControlStep, step.ControlDone, step.SetupEntry, step.SetupBacked,
		step.BindLocked, step.BindSigned, step.BindListen, step.RenewSerial,
	}
	ServerSteps = []string{
		step.BeginRunning, step.EndDone, step.EndBit, step.WakeWord,
		step.ControlLocked, step.ControlStep, step.ControlDone, step.ReapPunched,
		step.BindLocked, step.BindSigned, step.BindListen, step.AdoptSigned,
	}
)

func killAt(spec string) {
	name, count, ok := strings.Cut(spec, ":")
	if !ok {
		return
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return
	}
	var passed atomic.Int64
	step.Hook = func(at string) {
		if at == name && passed.Add(1) == int64(n) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way: nothing more may happen
		}
	}
}
