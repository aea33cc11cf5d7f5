package vlmc

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/device"
)

// held is the line by which a holder says that it has begun.
const held = "held"

// holdDevice is `map --hold`.
func holdDevice(cmd *cobra.Command, app *cli.App, name string) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	return device.Hold(cmd.Context(), cfg, name, log, func() {
		fmt.Fprintln(cmd.OutOrStdout(), held)
		tellManager()
	})
}

// tellManager says to the service manager that started this process, if one did, that it has begun.
// If that fails the manager finds out by the silence.
func tellManager() {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	// A leading @ stands for the abstract name space, also in package net.
	if c, err := net.Dial("unixgram", path); err == nil {
		_, _ = c.Write([]byte("READY=1"))
		_ = c.Close()
	}
}

// startProcess starts `map --hold` as a process of its own, which outlives this one and its
// terminal, and holds none of its files open: who waits for our output to end must not wait for it.
func startProcess(cfg *config.Config, name string) (device.Holder, error) {
	self, err := os.Executable()
	if err != nil {
		return device.Holder{}, err
	}
	log, err := os.OpenFile(device.HolderLog(cfg, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return device.Holder{}, err
	}
	defer log.Close()
	cmd := exec.Command(self, append(cfg.Source().Args(), "map", "--hold", "--", name)...)
	cmd.Dir, cmd.Stderr = "/", log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return device.Holder{}, err
	}
	if err := cmd.Start(); err != nil {
		return device.Holder{}, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != held {
		// It has ended, or does so now that nobody listens.
		return device.Holder{}, errors.Join(fmt.Errorf("it didn't begin; see %s", log.Name()), err, cmd.Process.Kill(), cmd.Wait())
	}
	pid := cmd.Process.Pid // gone after Release
	return device.Holder{PID: pid}, errors.Join(out.Close(), cmd.Process.Release())
}
