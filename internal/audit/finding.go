package audit

import "fmt"

// Severity says how bad a finding is.
type Severity uint8

// Severities, the worst first.
const (
	// Loss: something that a volume needs isn't there.
	Loss Severity = iota + 1
	// Corrupt: something is there that can't be read, or can't be as it is.
	Corrupt
	// HalfDone: an operation was interrupted. Nothing is wrong; Remedy says what finishes it.
	HalfDone
	// Orphan: something takes space and nothing names it.
	Orphan
)

func (s Severity) String() string {
	if s >= Loss && s <= Orphan {
		return [...]string{"loss", "corrupt", "half-done", "orphan"}[s-Loss]
	}
	return fmt.Sprintf("severity %d", uint8(s))
}

// Finding is one thing that the check has found.
type Finding struct {
	Severity Severity
	Object   string // its name at the blocker
	Data     bool   // the object is at the data blocker, not at the map blocker
	Volume   string // one that is concerned, if any is
	Cause    string // what is wrong
	Remedy   string // what finishes, frees or heals it; that nothing does is said, too
	Bytes    int64  // allocated by an orphan
	Repaired bool   // it was repaired
}

func (f Finding) String() string {
	s := fmt.Sprintf("%v: %s", f.Severity, f.Object)
	if f.Volume != "" {
		s += " (volume " + f.Volume + ")"
	}
	s += ": " + f.Cause
	if f.Remedy != "" {
		s += "; " + f.Remedy
	}
	return s
}

// Summary counts what was looked at and found.
type Summary struct {
	Volumes    int64 // records
	Tombstones int64
	Chunks     int64 // and pages of chunk tables
	Objects    int64 // of volumes
	Foreign    int64 // names at the data blocker that are not those of own objects; not looked at
	Bytes      int64 // allocated by objects of volumes

	Losses      int64
	Corruptions int64
	HalfDone    int64
	Orphans     int64
	OrphanBytes int64 // allocated by orphans, of both blockers
	Repaired    int64

	// Uncertain: something that names others is unreadable, so that orphans may be none.
	Uncertain bool
	// Passes is how often the names of objects were gone through.
	Passes int
}

// IsClean says that nothing is lost or corrupt.
func (s *Summary) IsClean() bool { return s.Losses == 0 && s.Corruptions == 0 }

// Remedies. What only the mapper may do is left to it: it holds the locks.
const (
	remedyNone     = "nothing can be done without risk: remove the volume, or restore it from a copy"
	remedyOpen     = "opening the volume finishes it"
	remedyAnyOp    = "any operation on either name finishes it"
	remedyMembers  = "opening its members finishes it"
	remedyRemove   = "removing the volume again finishes it"
	remedyTail     = "the owner cuts it off before its next append"
	remedyGC       = "garbage collection frees it"
	remedyOwner    = "its owner may hold entries that name it; garbage collection by the owner decides"
	remedyUnknown  = "it is never freed by itself"
	remedyReadable = "nothing is freed while there is something unreadable that may name it"
	remedyRepair   = "a repair removes it"
)
