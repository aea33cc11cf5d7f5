package archipelago

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/cli"
	"archipelago/internal/config"
)

// stopForeground ends the supervisor that runs the node, and waits until it has gone, which it does
// when all roles have stopped.
func stopForeground(ctx context.Context, r *rows, cfg *config.Config, pid int, limit time.Duration) error {
	err := r.do("Stopping", "node", func() (string, error) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return "", fmt.Errorf("process %d: %w", pid, err)
		}
		defer unix.Close(fd)
		// The descriptor pins the process; that it is still the supervisor proves that the pid wasn't
		// used again in between.
		if now, err := foreground(cfg); err != nil || now != pid {
			return "", errors.Join(err, notRunning(now))
		}
		if err := unix.PidfdSendSignal(fd, syscall.SIGTERM, nil, 0); err != nil {
			return "", wayOut(fmt.Errorf("stop process %d: %w", pid, err))
		}
		return "", awaitEnd(ctx, fd, limit)
	})
	return errors.Join(err, r.err)
}

func notRunning(now int) error {
	if now == 0 {
		return &cli.CodeError{Code: cli.ExitNotRunning, Err: errors.New("the node has just ended by itself")}
	}
	return fmt.Errorf("another process runs the node now: %d", now)
}

// pollTime is how often the wait for a process looks whether it was interrupted.
const pollTime = 200 * time.Millisecond

// awaitEnd waits for the end of the process that a descriptor stands for.
func awaitEnd(ctx context.Context, fd int, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(pollTime.Milliseconds()))
		switch {
		case err != nil && !errors.Is(err, unix.EINTR): // EINTR: a signal of the runtime's own
			return fmt.Errorf("wait for the node: %w", err)
		case n > 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("the node is still stopping: %w", ctx.Err())
		}
	}
}
