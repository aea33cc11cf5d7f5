package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"archipelago/internal/config"
)

// Control is a connection to the supervisor of a running node. For one goroutine.
type Control struct {
	// Progress is called at each step of Restart, from within it. May be nil.
	Progress func(RestartStep)

	conn net.Conn
	in   *bufio.Scanner
}

// DialControl connects to the supervisor (`archipelago run`) of the node that cfg is for. It takes
// seconds at most. ErrNoSupervisor if there is none, or one that has not yet started all roles.
func DialControl(cfg *config.Config) (*Control, error) {
	path := filepath.Join(cfg.RuntimeDir, controlSocket)
	conn, err := net.DialTimeout("unix", path, silenceLimit)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNoSupervisor
	case err != nil:
		return nil, fmt.Errorf("control socket of the node: %w", err)
	}
	c := &Control{conn: conn, in: bufio.NewScanner(conn)}
	c.in.Buffer(nil, maxReplyLine)
	return c, nil
}

// Close ends the connection. A restart of all roles ends with the role that it is at.
func (c *Control) Close() error { return c.conn.Close() }

// Roles returns the state of every role, in the order of their start.
func (c *Control) Roles(ctx context.Context) ([]RoleState, error) {
	r, err := c.ask(ctx, controlRequest{Do: doRoles})
	return r.Roles, err
}

// Restart stops a role in order and returns when a new process of it is ready; role "" restarts
// all, one after the other, so that the node serves its clients all the time. It waits until ctx
// ends, as long as the supervisor lives; what was begun then goes on. Errors: UnknownRoleError;
// RestartError if a role did not come up again, and no further one was touched; ErrSilent.
func (c *Control) Restart(ctx context.Context, role string) error {
	_, err := c.ask(ctx, controlRequest{Do: doRestart, Role: role})
	return err
}

// ask sends a request and returns the final reply. After an error of the connection, or of ctx,
// the connection is of no more use.
func (c *Control) ask(ctx context.Context, r controlRequest) (controlReply, error) {
	// A deadline in the past ends a read or write that is under way.
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := json.Marshal(r)
	if err != nil {
		return controlReply{}, err
	}
	if err := c.extend(ctx); err != nil {
		return controlReply{}, err
	}
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		return controlReply{}, c.broken(ctx, err)
	}
	for {
		reply, err := c.reply(ctx)
		switch {
		case err != nil:
			return reply, err
		case reply.Done:
			return reply, reply.Error.fromWire()
		case reply.Step != nil && c.Progress != nil:
			c.Progress(*reply.Step)
		}
	}
}

func (c *Control) reply(ctx context.Context) (controlReply, error) {
	if err := c.extend(ctx); err != nil {
		return controlReply{}, err
	}
	if !c.in.Scan() {
		return controlReply{}, c.broken(ctx, c.in.Err())
	}
	return parseReply(c.in.Bytes())
}

// extend gives the supervisor its time for the next line.
func (c *Control) extend(ctx context.Context) error {
	if err := c.conn.SetDeadline(time.Now().Add(silenceLimit)); err != nil {
		return c.broken(ctx, err)
	}
	// The deadline of a ctx that ended just before was overwritten.
	return ctx.Err()
}

// broken says why the connection ended. A scanner tells an end as nil.
func (c *Control) broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: not a word for %v", ErrSilent, silenceLimit)
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w any more: it has ended", ErrNoSupervisor)
	}
	return fmt.Errorf("control socket of the node: %w", err)
}
