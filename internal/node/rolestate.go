package node

import (
	"sync"
	"time"
)

// Phase is what the process of a role is doing.
type Phase string

// Phases of a role.
const (
	PhaseStarting Phase = "starting" // a process runs, and isn't ready yet
	PhaseReady    Phase = "ready"
	PhaseStopping Phase = "stopping" // a process was told to stop, or has said that it stops
	PhaseDown     Phase = "down"     // no process: between two, or after the last
)

// RoleState is what the supervisor knows about a role.
type RoleState struct {
	Role     string    `json:"role"`
	Type     string    `json:"type"`
	State    Phase     `json:"state"`
	Ready    bool      `json:"ready"`    // State is PhaseReady
	PID      int       `json:"pid"`      // 0 = no process
	Restarts int       `json:"restarts"` // after a death; ordered ones don't count
	Since    time.Time `json:"since"`    // when State began
}

// roleState is the state of one role, written by the peer's goroutine and read by many.
type roleState struct {
	mu sync.Mutex
	is RoleState
}

func (r *roleState) get() RoleState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.is
}

func (r *roleState) enter(phase Phase, pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.is.State, r.is.Ready, r.is.PID, r.is.Since = phase, phase == PhaseReady, pid, time.Now()
}

func (r *roleState) down() { r.enter(PhaseDown, 0) }

// died counts a death, which a restart follows.
func (r *roleState) died() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.is.Restarts++
}
