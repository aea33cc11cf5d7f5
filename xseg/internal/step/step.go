// Package step names the instants at which a process may die with something half done, so that
// tests can kill it exactly there. Outside of tests it does nothing.
package step

// Hook is called at every step, if set. It is set before anything else runs, by tests alone.
var Hook func(name string)

// At marks a step.
func At(name string) {
	if Hook != nil {
		Hook(name)
	}
}

// The steps, by what is done when they are reached.
const (
	// Submitter.
	PublishState = "publish-state" // slot SUBMITTED, no ring entry yet
	PublishEntry = "publish-entry" // ring entry written, tail not moved
	PublishTail  = "publish-tail"  // published, nobody woken
	HarvestBits  = "harvest-bits"  // completion bits taken, not looked at
	WakeWord     = "wake-word"     // wait word moved, not woken

	// Server.
	BeginRunning = "begin-running" // slot RUNNING, nothing read
	EndDone      = "end-done"      // slot DONE, bit not set
	EndBit       = "end-bit"       // bit set, nobody woken

	// Control.
	ControlLocked = "control-locked" // lock held, step not announced
	ControlStep   = "control-step"   // step announced, nothing done
	ControlDone   = "control-done"   // done, step still announced
	SetupEntry    = "setup-entry"    // channel in SETUP, no memory yet
	SetupBacked   = "setup-backed"   // memory there, not live
	ReapPunched   = "reap-punched"   // memory gone, entry not free
	BindLocked    = "bind-locked"    // port lock held, entry still the predecessor's
	BindSigned    = "bind-signed"    // entry is ours, predecessor's work not waited for
	BindListen    = "bind-listen"    // predecessor's work is over, no socket yet
	RenewSerial   = "renew-serial"   // new serial, rings not reset
	RepushReset   = "repush-reset"   // rings empty, nothing pushed again
	RepushDone    = "repush-done"    // pushed again, server not told
	AdoptSigned   = "adopt-signed"   // server signed the table, submitter not told

	// Rows of volumes.
	VolumeOwned   = "volume-owned"   // row is ours, not described yet
	VolumePunched = "volume-punched" // row given up, owner not gone
)
