package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The control protocol: lines of JSON on a Unix stream socket. The client writes one request, the
// server answers with any number of progress lines (also one each second, so that a server that
// hangs is noticed) and one final line, which has `done`; then the next request may come. Keys that
// a side doesn't know it skips.

// controlSocket is the name of the socket in the runtime directory.
const controlSocket = "control.sock"

// Limits of the protocol.
const (
	maxRequestLine = 4 << 10
	maxReplyLine   = 1 << 20
	// aliveEvery is how often a server that has nothing to say says that it is there.
	aliveEvery = time.Second
	// silenceLimit is how long a client believes in a silent server, and how long either side
	// tries to write.
	silenceLimit = 10 * time.Second
)

// What a client may ask for.
const (
	doRoles   = "roles"
	doRestart = "restart"
)

// controlRequest is a line of the client.
type controlRequest struct {
	Do   string `json:"do"`
	Role string `json:"role,omitempty"` // of doRestart; "" = all
}

// controlReply is a line of the server.
type controlReply struct {
	Done  bool          `json:"done,omitempty"`
	Step  *RestartStep  `json:"step,omitempty"`  // progress
	Roles []RoleState   `json:"roles,omitempty"` // of doRoles
	Error *controlError `json:"error,omitempty"` // of the final line; nil = it was done
}

// RestartStep is the progress of a restart.
type RestartStep struct {
	Role string        `json:"role"`
	Done bool          `json:"done"` // false: it begins; true: the role is ready again
	Took time.Duration `json:"took_ns,omitempty"`
}

// controlError is an error on its way to a client.
type controlError struct {
	Kind   string   `json:"kind"`
	Text   string   `json:"text"`
	Role   string   `json:"role,omitempty"`
	Status int      `json:"status,omitempty"`
	Log    []string `json:"log,omitempty"`
	Known  []string `json:"known,omitempty"`
}

// Kinds of controlError. One that a client doesn't know is a failure with its text.
const (
	kindUnknownRole = "unknown_role"
	kindRestart     = "restart"
	kindStopping    = "stopping"
	kindFailed      = "failed"
)

var errRequest = errors.New("invalid control request")

// parseRequest reads a line of a client.
func parseRequest(line []byte) (controlRequest, error) {
	var r controlRequest
	if err := unmarshalLine(line, &r); err != nil {
		return r, fmt.Errorf("%w: %w", errRequest, err)
	}
	switch r.Do {
	case doRoles, doRestart:
		return r, nil
	}
	return r, fmt.Errorf("%w: %q is nothing that can be asked for; supervisor and command may be of different versions",
		errRequest, r.Do)
}

// parseReply reads a line of a server.
func parseReply(line []byte) (controlReply, error) {
	var r controlReply
	if err := unmarshalLine(line, &r); err != nil {
		return r, fmt.Errorf("invalid answer of the supervisor: %w", err)
	}
	return r, nil
}

// unmarshalLine is strict about one thing that package json forgives: the line must be an object.
func unmarshalLine(line []byte, to any) error {
	if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) {
		return errors.New("not an object")
	}
	return json.Unmarshal(line, to)
}

// toWire makes what a client gets told of an error.
func toWire(err error) *controlError {
	if err == nil {
		return nil
	}
	w := &controlError{Kind: kindFailed, Text: err.Error(), Status: exitFailed}
	if e, ok := errors.AsType[*UnknownRoleError](err); ok {
		w.Kind, w.Role, w.Known = kindUnknownRole, e.Role, e.Known
	} else if e, ok := errors.AsType[*RestartError](err); ok {
		w.Kind, w.Role, w.Text, w.Status, w.Log = kindRestart, e.Role, e.Cause, e.Status, e.Log
	} else if errors.Is(err, errStopping) {
		w.Kind = kindStopping
	}
	return w
}

// fromWire makes the error again; nil of nil.
func (w *controlError) fromWire() error {
	switch {
	case w == nil:
		return nil
	case w.Kind == kindUnknownRole:
		return &UnknownRoleError{Role: w.Role, Known: w.Known}
	case w.Kind == kindRestart:
		return &RestartError{Role: w.Role, Cause: w.Text, Status: w.Status, Log: w.Log}
	case w.Kind == kindStopping:
		return errStopping
	}
	return errors.New(w.Text)
}
