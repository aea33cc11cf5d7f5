package ring

// Mode is how the server answers.
type Mode uint8

// Modes.
const (
	AtOnce Mode = iota
	Later       // from another thread
	PassOn      // when another server has
)

// Config is a small instance of the model.
type Config struct {
	Mode      Mode
	Requests  [2]uint8 // of each submitter; 0: there is none
	Successor bool     // the second submitter is the first one's, and begins when that one is dead
	Cancels   uint8    // requests that are given up
	Early     uint8    // waits that end for no reason
	// ServerKills, ClientKills: of the first submitter alone.
	ServerKills, ClientKills uint8
	Fault                    Fault
}

const (
	slots      = 2
	submitters = 2
)

// Fault is a planted fault.
type Fault uint8

// Planted faults.
const (
	NoFault Fault = iota
	// Flag: the wait word is a flag that a producer clears.
	Flag
	// Reload: after a wait the consumer waits again for the word as it finds it.
	Reload
	// NoSecondLook: a consumer doesn't look again between arming and waiting.
	NoSecondLook
	// TailBeforeEntry: the tail is moved before the ring entry is written.
	TailBeforeEntry
	// BitBeforeDone: the bit is set before the state.
	BitBeforeDone
	// NoCAS: a server looks at the state, and then stores RUNNING.
	NoCAS
	// CancelledReused: a cancelled slot is free at once.
	CancelledReused
	// NoRewind: the rings stay as they are for a successor.
	NoRewind
	// PushDoneAgain: an answered request is pushed again if its answer wasn't taken.
	PushDoneAgain
	// KeepGeneration: what is pushed again keeps its generation.
	KeepGeneration
	// AbandonedReused: the slot of an abandoned request is free at once.
	AbandonedReused
	// NoOutwait: a successor serves before what its predecessor had passed on has ended.
	NoOutwait
	// NoGhosts: a request isn't parked behind those of a dead submitter.
	NoGhosts
	// NoBury: a new channel is served though the end of a dead submitter isn't known yet.
	NoBury
	// NoWakeAtConnect: a submitter doesn't wake the successor for what it had pushed before that
	// listened.
	NoWakeAtConnect
	numFaults
)

var faultNames = [numFaults]string{"NoFault", "Flag", "Reload", "NoSecondLook", "TailBeforeEntry",
	"BitBeforeDone", "NoCAS", "CancelledReused", "NoRewind", "PushDoneAgain", "KeepGeneration",
	"AbandonedReused", "NoOutwait", "NoGhosts", "NoBury", "NoWakeAtConnect"}

func (f Fault) String() string { return faultNames[f] }
