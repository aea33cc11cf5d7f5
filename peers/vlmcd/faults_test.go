package vlmcd

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fault is a mistake that the tests of this package must find: in file, old becomes bad.
type fault struct{ name, file, old, bad string }

var faults = []fault{
	{"no sub-block lock", "lock.go", "if need&(w.locked|w.wanted()) != 0 {", "if false {"},
	{"lock out of turn", "lock.go", "if need&(w.locked|w.wanted()) != 0 {", "if p.off%3 == 1 {"},
	{"acknowledged before the commit", "commit.go",
		"e.sendCommit(v, o, entry.Normalize(v.objectSize))\n}",
		"entry = entry.Normalize(v.objectSize)\ne.sendCommit(v, o, entry)\no.set(v, &entry, v.commitSeq)\nw.state = unborn\ne.endBatch(o)\n}"},
	{"thaw with old translations", "freeze.go", "e.dropTranslations(v)", ""},
	{"thaw with the old epoch", "freeze.go", "v.open, v.frozen, v.refresh = false, false, false",
		"v.frozen, v.refresh = false, false"},
	{"map change before the drain", "freeze.go", "!v.frozen || v.running > 0 || v.changing", "!v.frozen || v.changing"},
	{"pieces let in under a freeze", "io.go", "if e.stopping || op.vol.frozen || !op.vol.open {", "if !op.vol.open {"},
	{"discard that makes no object", "write.go", "op.Kind = blocker.WriteZeroes\n\t}", "op.Kind = dataKinds[p.op.Kind]\n\t}"},
	{"tail not copied", "write.go", "if tail := end % size; tail != 0 &&", "if tail := end % size; tail != 0 && false &&"},
	{"head not copied", "write.go", "if head := p.off % size; head != 0 &&", "if head := p.off % size; head != 0 && false &&"},
	{"tail of another object", "write.go", "write.Source == source:", "write.Source != name:"},
	{"birth kept after a failed write", "reserve.go", "w.state == born && !w.committing", "false"},
	{"zero-below not cleared", "write.go", "case len(o.levels) > 0:", "case false:"},
	{"FUA that no durable entry names", "write.go", "if o.seq > p.vol.flushed {", "if false {"},
	{"FUA lost after a commit", "commit.go", "if p.op.Flags&FlagFUA != 0 {", "if false {"},
	{"flush that covers later commits", "flush.go", "max(v.flushed, v.flushSeq)", "max(v.flushed, v.commitSeq)"},
	{"old answer over a commit", "commit.go", "w.overtaken = w.loading", "w.overtaken = false"},
	{"pinned page evicted", "page.go", "!pg.loading && pg.pins == 0", "!pg.loading"},
	{"merge that copies nothing", "merge.go", "e.mergeCopy(o, source, int64(first)*size, int64(count)*size)", "_, _ = source, size"},
	{"partial mask at birth", "commit.go", "mask = mapfmt.FullMask\n", "mask |= 1\n"},
	{"two commits at once", "commit.go", "if w == nil || w.committing {", "if w == nil {"},
	{"missing object read as zeros", "read.go", "if named {", "if named {\n\t\tclear(p.data)\n\t\te.endPiece(p, nil)\n\t\treturn\n\t}\n\tif named {"},
	{"stale births committed", "commit.go", "case o.ownBirth() != p.birth:", "case false:"},
	{"writes to snapshots", "io.go", "if op.modifies() && v.readOnly() {", "if false {"},
	{"no reservation after a stale commit", "write.go", "if o.own && !o.work.askFirst ||", "if o.own ||"},
	{"discard beside writes in place", "shape.go", "p.idle = o.writers > 0", "p.idle = false"},
	{"write into a discarded object", "write.go", "case need == 0 && o.dropped():", "case false:"},
	{"beyond the end after a shrink", "park.go", "if end > v.info.Size {", "if end < 0 {"},
	{"snapshot of a freeze that has ended", "hold.go", "case v.hold != op.Token:", "case false:"},
	{"freeze without an end", "hold.go", "e.event(func() { e.releaseHold(v, token) })", ""},
	{"FUA of zeros that aren't durable", "write.go", "v.commitSeq > v.flushed", "v.commitSeq < v.flushed"},
	{"map change after a stop", "freeze.go", "v.changing || e.stopping {", "v.changing {"},
	{"flatten of nothing", "shape.go", "if o.levels[i].UUID != o.page.vol.uuid {", "if o.levels[i].Epoch == 1<<40 {"},
	{"flatten without zeros", "shape.go", "Kind: blocker.WriteZeroes, Name: name, Offset: off, Length: n})", "Kind: blocker.WriteZeroes, Name: name, Offset: off})"},
	{"renamed volume forgotten", "hold.go", "e.renamed[op.vol.uuid] = op.Other", ""},
	{"page asked twice at once", "page.go", "if pg.loading {", "if pg.loading && p.tries > 0 {"},
}

// TestPlantedFaults builds the tests with one fault after the other and sees them fail. A fault is
// a replacement in a copy of a file, so the product has no switch for it.
func TestPlantedFaults(t *testing.T) {
	if os.Getenv("ARCHIPELAGO_FAULTS") == "" && os.Getenv("ARCHIPELAGO_SOAK") == "" {
		t.Skip("builds the tests once per fault: set ARCHIPELAGO_FAULTS=1")
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			out, err := testWith(t, f)
			if err == nil {
				t.Errorf("not found: %s", out)
			} else if !strings.Contains(out, "--- FAIL: ") && !strings.Contains(out, "panic: ") {
				t.Errorf("the tests didn't run: %s", out)
			}
		})
	}
}

// testWith runs the tests of this package with a fault planted.
func testWith(t *testing.T, f fault) (string, error) {
	path, err := filepath.Abs(f.file)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), f.old) != 1 {
		t.Fatalf("%s has %d times: %s", f.file, strings.Count(string(source), f.old), f.old)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, f.file)
	overlay := filepath.Join(dir, "overlay.json")
	table, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{
		changed: []byte(strings.Replace(string(source), f.old, f.bad, 1)),
		overlay: table,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-count=1", "-vet=off", "-timeout=60s", "-overlay", overlay, ".")
	cmd.Env = append(os.Environ(), "ARCHIPELAGO_FAULTS=", "ARCHIPELAGO_SOAK=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
