package audit

import (
	"context"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
)

// Options say what to check, and how.
type Options struct {
	Maps   blocker.Store // records, chunks, locks, tombstones
	Blocks blocker.Store // objects of volumes

	// Report is called for each finding, on the goroutine of Check. Required.
	Report func(Finding)
	// Progress, if set, is called now and then, at least once per page of names, likewise.
	Progress func(Progress)

	// Repair does what can't hurt data: it removes tombstones that a newer one of the same volume
	// has superseded, and decisions about groups of snapshots that all members have heard of.
	// Everything else that is half-done is finished by the mapper.
	Repair bool

	// References bounds the names of objects, and those of chunks, that are held in memory at a
	// time: about 100 bytes each. 0 = 500,000.
	References int
	// Term is the lease term that the requests rest on.
	Term uint64
}

// Progress says how far the check is. The whole isn't known beforehand.
type Progress struct {
	Stage  Stage
	Pass   int    // from 1; a large store is gone through more than once
	Names  int64  // looked at in this stage
	Object string // the last one
}

// Stage is a part of the check.
type Stage uint8

// Stages, in their order.
const (
	StageRecords Stage = iota + 1
	StageChunks
	StageObjects
)

func (s Stage) String() string {
	if s >= StageRecords && s <= StageObjects {
		return [...]string{"records", "chunks", "objects"}[s-StageRecords]
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

const defaultReferences = 500_000

// check is one run.
type check struct {
	Options
	ctx context.Context
	sum Summary

	volumes map[mapfmt.UUID]*volume
	names   []string // of records, by volume.name and named.volume

	buffer []byte // for what is read
	stage  Progress
}

// Check goes through the whole store. It blocks until it is done, or ctx is. An error means that
// the store couldn't be gone through (a listing failed, ctx ended): the summary is of what was seen
// until then. What is wrong with the content of the store is no error.
func Check(ctx context.Context, o Options) (Summary, error) {
	if o.References <= 0 {
		o.References = defaultReferences
	}
	c := &check{Options: o, ctx: ctx, volumes: map[mapfmt.UUID]*volume{}}
	err := c.scanMaps()
	if err == nil {
		err = c.scanObjects()
	}
	if err != nil {
		err = fmt.Errorf("check: %w", err)
	}
	return c.sum, err
}

// report passes a finding on and counts it.
func (c *check) report(f Finding) {
	switch f.Severity {
	case Loss:
		c.sum.Losses++
	case Corrupt:
		c.sum.Corruptions++
	case HalfDone:
		c.sum.HalfDone++
	case Orphan:
		c.sum.Orphans++
		c.sum.OrphanBytes += f.Bytes
	}
	if f.Repaired {
		c.sum.Repaired++
	}
	c.Report(f)
}

// corrupt reports an object of the map blocker that can't be as it is.
func (c *check) corrupt(object, volume, format string, args ...any) {
	c.report(Finding{
		Severity: Corrupt, Object: object, Volume: volume, Cause: fmt.Sprintf(format, args...),
		Remedy: remedyNone,
	})
}

// unreadable reports what may name others.
func (c *check) unreadable(object, volume string, err error) {
	c.sum.Uncertain = true
	c.corrupt(object, volume, "%v", err)
}
