package vlmc

import (
	"fmt"
	"io"
	"time"

	"archipelago/internal/audit"
	"archipelago/internal/cli"
)

// checkFinding is what --json prints of a finding. The names of the fields are documented.
type checkFinding struct {
	Severity string `json:"severity"` // "loss", "corrupt", "half-done" or "orphan"
	Object   string `json:"object"`
	Store    string `json:"store"` // "maps" or "blocks"
	Volume   string `json:"volume,omitempty"`
	Cause    string `json:"cause"`
	Remedy   string `json:"remedy,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"` // that an orphan takes
	Repaired bool   `json:"repaired"`
}

// checkSummary is what --json prints in the end. The names of the fields are documented.
type checkSummary struct {
	Complete    bool  `json:"complete"`
	Clean       bool  `json:"clean"`
	Volumes     int64 `json:"volumes"`
	Tombstones  int64 `json:"tombstones"`
	Chunks      int64 `json:"chunks"`
	Objects     int64 `json:"objects"`
	Bytes       int64 `json:"bytes"`
	Foreign     int64 `json:"foreign"`
	Losses      int64 `json:"losses"`
	Corruptions int64 `json:"corruptions"`
	HalfDone    int64 `json:"half_done"`
	Orphans     int64 `json:"orphans"`
	OrphanBytes int64 `json:"orphan_bytes"`
	Repaired    int64 `json:"repaired"`
	Uncertain   bool  `json:"uncertain"`
}

// checkView prints a check, and counts what it prints.
type checkView struct {
	p     *cli.Printer
	bar   *checkBar
	count [audit.Orphan + 1]int64
}

func (v *checkView) finding(f audit.Finding) {
	v.bar.yield()
	v.count[f.Severity]++
	if v.p.JSON() {
		v.p.Object(describeFinding(f))
		return
	}
	v.p.Linef("%v", f)
}

func describeFinding(f audit.Finding) checkFinding {
	store := "maps"
	if f.Data {
		store = "blocks"
	}
	return checkFinding{f.Severity.String(), f.Object, store, f.Volume, f.Cause, f.Remedy, f.Bytes, f.Repaired}
}

func (v *checkView) summary(s *audit.Summary, complete bool) {
	d := v.describe(s, complete)
	if v.p.JSON() {
		v.p.Object(d)
		return
	}
	v.p.Linef("Checked: volumes %d, tombstones %d, chunks %d, objects %d (%s)",
		d.Volumes, d.Tombstones, d.Chunks, d.Objects, cli.FormatSize(d.Bytes))
	v.p.Linef("Found: lost %d, corrupt %d, half-done %d, orphans %d (%s), repaired %d",
		d.Losses, d.Corruptions, d.HalfDone, d.Orphans, cli.FormatSize(d.OrphanBytes), d.Repaired)
	if d.Uncertain {
		v.p.Linef("Something that names others can't be read: what is called an orphan may be none.")
	}
}

// describe takes the numbers of findings from what was printed: a check that was cut short may have
// counted what it couldn't judge any more.
func (v *checkView) describe(s *audit.Summary, complete bool) checkSummary {
	losses, corruptions := v.count[audit.Loss], v.count[audit.Corrupt]
	return checkSummary{
		Complete: complete, Clean: complete && losses+corruptions == 0,
		Volumes: s.Volumes, Tombstones: s.Tombstones, Chunks: s.Chunks, Objects: s.Objects,
		Bytes: s.Bytes, Foreign: s.Foreign, Losses: losses, Corruptions: corruptions,
		HalfDone: v.count[audit.HalfDone], Orphans: v.count[audit.Orphan],
		OrphanBytes: s.OrphanBytes, Repaired: s.Repaired, Uncertain: s.Uncertain,
	}
}

const (
	// checkBarAfter: what ends sooner shows nothing.
	checkBarAfter = time.Second
	checkBarEvery = 200 * time.Millisecond
)

// checkBar shows on a terminal how far a check is. How much there is isn't known beforehand, so it
// counts.
type checkBar struct {
	w     io.Writer // nil: nothing is shown
	mixed bool      // findings go to a terminal as well
	next  time.Time
	shown bool
}

func newCheckBar(progress, data io.Writer) *checkBar {
	b := &checkBar{mixed: cli.IsTerminal(data), next: time.Now().Add(checkBarAfter)}
	if cli.IsTerminal(progress) {
		b.w = progress
	}
	return b
}

// show is called by the check now and then.
func (b *checkBar) show(p audit.Progress) {
	now := time.Now()
	if b.w == nil || now.Before(b.next) {
		return
	}
	b.next, b.shown = now.Add(checkBarEvery), true
	fmt.Fprintf(b.w, "\r%s\x1b[K", checkBarLine(p))
}

func checkBarLine(p audit.Progress) string {
	line := fmt.Sprintf("check: %d %v", p.Names, p.Stage)
	if p.Pass > 1 {
		line += fmt.Sprintf(", pass %d", p.Pass)
	}
	return line
}

// yield leaves a terminal to the findings, which would be mixed with the bar.
func (b *checkBar) yield() {
	if b.mixed {
		b.end()
		b.w = nil
	}
}

func (b *checkBar) end() {
	if b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.shown = false
	}
}
