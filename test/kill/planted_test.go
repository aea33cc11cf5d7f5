package kill

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"archipelago/test/testnode"
)

// planted says that a test runs on binaries that a fault was planted in.
const planted = "ARCHIPELAGO_TEST_PLANTED"

// fault is a mistake that a storm must find, by what it breaks.
type fault struct {
	name    string
	in      string // the test that finds it
	changes []change
	symptom string // regular expression
}

// wrongBlock is a block with a content that it must not have.
const wrongBlock = `block \d+ is wrong: `

// faults are those of the death of processes. That a sync is skipped shows when the power goes, not
// when processes do: test/powercut finds that one.
var faults = []fault{
	{"pending log isn't replayed", "TestStorm",
		[]change{{"peers/mapperd/open.go", "v.e.cfg.faults.dropLog", "true"}},
		wrongBlock + `|writes that were acknowledged since the last flush may be lost`},
	{"acknowledged before the commit", "TestStorm",
		[]change{{"peers/vlmcd/commit.go", "e.sendCommit(v, o, entry.Normalize(v.objectSize))\n}",
			"entry = entry.Normalize(v.objectSize)\ne.sendCommit(v, o, entry)\n" +
				"o.set(v, &entry, v.commitSeq)\nw.state = unborn\ne.endBatch(o)\n}"}},
		wrongBlock + `|not of one moment|byte \d+ is`},
	{"ghost writes are let through", "TestSlowStorm",
		[]change{{"xseg/ghost.go", "if len(p.ghosts) != 0 && p.ghosts[r.volume] != 0 {", "if false {"}},
		wrongBlock + `stamp \d+, allowed`},
	{"memory of the dead isn't quarantined", "TestSlowStorm",
		[]change{{"xseg/collect.go", "st == abi.ChannelOrphan && !w.running(id) {", "st == abi.ChannelOrphan {"}},
		wrongBlock},
}

// TestPlantedFaults builds the peers with one fault after the other and sees the storm fail of it.
func TestPlantedFaults(t *testing.T) {
	if os.Getenv("ARCHIPELAGO_FAULTS") == "" {
		t.Skip("builds the peers once per fault, and storms may have to be repeated: set ARCHIPELAGO_FAULTS=1")
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) { f.mustBeFound(t) })
	}
}

// tries is how many storms a fault may take: each is a matter of luck.
const tries = 5

func (f fault) mustBeFound(t *testing.T) {
	bin := testnode.TempDir(t)
	faulty(t, bin, append(troubled[:len(troubled):len(troubled)], f.changes...),
		"archip-filed", "archip-mapperd", "archip-vlmcd", "archip-nbdd")
	for try := 1; try <= tries; try++ {
		cmd := exec.Command(os.Args[0], "-test.run=^"+f.in+"$", "-test.v", "-test.timeout=120s")
		cmd.Env = append(os.Environ(), planted+"=1", testnode.EnvBin+"="+bin, "ARCHIPELAGO_FAULTS=")
		text, err := cmd.CombinedOutput()
		out := string(text)
		found := regexp.MustCompile(f.symptom).FindString(out)
		switch {
		case err == nil:
			continue
		case !strings.Contains(out, "--- FAIL: "+f.in) || found == "":
			t.Fatalf("found by something else: %v\n%s", err, out)
		}
		t.Logf("found in storm %d of %s: %s", try, f.in, line(out, found))
		return
	}
	t.Errorf("not found in %d storms", tries)
}

// line returns the line of text that has part.
func line(text, part string) string {
	at := strings.Index(text, part)
	from := strings.LastIndexByte(text[:at], '\n') + 1
	rest, _, _ := strings.Cut(text[from:], "\n")
	return strings.TrimSpace(rest)
}
