package table

// Peer is one place of an instance. Peers with the same port follow each other.
type Peer struct {
	Port   uint8
	Dst    uint8 // the port that it submits to; 0: none
	Serves bool
	Lives  uint8 // how often it is started; it is started again after it was killed
}

// Config is a small instance of the model.
type Config struct {
	Peers    []Peer
	Kills    uint8
	Timeouts uint8 // handshakes that the submitter gives up
	Stops    uint8 // servers that end in order
	Fault    Fault
}

const (
	maxPeers = 4
	maxPorts = 5 // 0 is none
	maxRows  = 4
)

// Fault is a planted fault.
type Fault uint8

// Planted faults.
const (
	NoFault Fault = iota
	// NoOutwait: a successor listens before what its predecessor had passed on has ended.
	NoOutwait
	// ReapUndrained: what a dead submitter had goes at once, whatever a server still does.
	ReapUndrained
	// PassedOnForgotten: with a dead server its requests count as ended, also those that it had
	// passed on.
	PassedOnForgotten
	// LiveJudgedDead: whoever looks may take a live holder of a port for dead.
	LiveJudgedDead
	// LockByState: a port counts as held by what its entry says, not by its lock: the dead live on.
	LockByState
	// ControlShared: two processes may be inside a control step at once.
	ControlShared
	// SetupsStay: a half-done connect is not undone.
	SetupsStay
	// SignUnchecked: a server signs a row whatever its serial, and whoever has signed it.
	SignUnchecked
	// ReleaseUnchecked: "nothing runs" is recorded whatever serial and server the row has by then.
	ReleaseUnchecked
	// SignNoSerial: a server signs a row that nobody else has, whatever its serial.
	SignNoSerial
	// ReleaseNoSerial: "nothing runs" is recorded whatever serial the row has by then.
	ReleaseNoSerial
	// NoReservation: a second handshake may begin while a first one, or its requests, still run.
	NoReservation
	// ReleaseEarly: a server gives a channel back while its requests still run.
	ReleaseEarly
	numFaults
)

var faultNames = [numFaults]string{"NoFault", "NoOutwait", "ReapUndrained", "PassedOnForgotten",
	"LiveJudgedDead", "LockByState", "ControlShared", "SetupsStay", "SignUnchecked", "ReleaseUnchecked",
	"SignNoSerial", "ReleaseNoSerial", "NoReservation", "ReleaseEarly"}

func (f Fault) String() string { return faultNames[f] }
