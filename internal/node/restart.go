package node

import (
	"context"
	"errors"
	"time"
)

// roles returns the state of every role, in start order. Only once all have started.
func (s *supervisor) roles() []RoleState {
	states := make([]RoleState, len(s.peers))
	for i, p := range s.peers {
		states[i] = p.state.get()
	}
	return states
}

// restart restarts a role, or with "" all of them, one after the other: requests wait at the one
// that is away, and no second one is away meanwhile. The order is that of the start, so that a new
// version finds below it what it may need. The first that doesn't come up ends it: what is wrong
// with it may be wrong with the rest.
func (s *supervisor) restart(ctx context.Context, role string, step func(RestartStep)) error {
	peers, err := s.named(role)
	if err != nil {
		return err
	}
	for _, p := range peers {
		begin := time.Now()
		step(RestartStep{Role: p.role.Name})
		if err := p.restart(ctx); err != nil {
			return restartError(p.role.Name, err)
		}
		step(RestartStep{Role: p.role.Name, Done: true, Took: time.Since(begin)})
	}
	return nil
}

func (s *supervisor) named(role string) ([]*peer, error) {
	if role == "" {
		return s.peers, nil
	}
	e := &UnknownRoleError{Role: role}
	for _, p := range s.peers {
		if p.role.Name == role {
			return []*peer{p}, nil
		}
		e.Known = append(e.Known, p.role.Name)
	}
	return nil, e
}

// restartError makes of a peer's failure what a client can be told.
func restartError(role string, err error) error {
	e, ok := errors.AsType[*PeerError](err)
	if !ok {
		return err
	}
	r := &RestartError{Role: role, Cause: e.What + ": ", Status: exitFailed, Log: e.Log}
	if e.State == nil {
		r.Cause += e.Err.Error()
		return r
	}
	r.Cause += e.State.String()
	if code := e.ExitCode(); code > 0 {
		r.Status = code
	}
	return r
}
