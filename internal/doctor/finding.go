package doctor

// Level says how bad a finding is.
type Level int

// Levels.
const (
	OK      Level = iota
	Note          // worth knowing; nothing needs to be done
	Warning       // will be a problem, or is one in some situations
	Problem       // something doesn't work
)

var levelNames = [...]string{OK: "ok", Note: "note", Warning: "warning", Problem: "problem"}

func (l Level) String() string { return levelNames[l] }

// MarshalText makes the name of the level appear in JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is one thing that a check found.
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"`         // what is wrong, on which object, and why
	Do    string `json:"do,omitempty"` // what to do about it
}

// Result is what became of one check.
type Result struct {
	Check    string    `json:"check"`
	Level    Level     `json:"level"` // the worst of the findings
	Summary  string    `json:"summary"`
	Findings []Finding `json:"findings"`
}

// Report is what all checks found.
type Report struct {
	Node     string   `json:"node"`
	Version  string   `json:"version"`
	Problems int      `json:"problems"`
	Warnings int      `json:"warnings"`
	Checks   []Result `json:"checks"`
}

// found gathers what a check finds.
type found struct {
	summary string
	list    []Finding
}

func (f *found) add(l Level, what, do string) { f.list = append(f.list, Finding{l, what, do}) }
func (f *found) note(what, do string)         { f.add(Note, what, do) }
func (f *found) warn(what, do string)         { f.add(Warning, what, do) }
func (f *found) problem(what, do string)      { f.add(Problem, what, do) }
