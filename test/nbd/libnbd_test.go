package nbd

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"archipelago/test/testnode"
)

// TestLibnbd asks by way of libnbd's Python binding whatever it can ask.
func TestLibnbd(t *testing.T) {
	// Not the first python3 of the path: the binding belongs to that of the distribution.
	const python = "/usr/bin/python3"
	need(t, python)
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import nbd").CombinedOutput(); err != nil {
		t.Skipf("python3-libnbd is not installed: %s", out)
	}
	n := testnode.Start(t)
	n.Vlmc("create", "vol", "--size", sizeText)
	n.Vlmc("snapshot", "vol", "snap")
	cmd := exec.CommandContext(t.Context(), python, "libnbd.py")
	cmd.Env = append(os.Environ(), "URI="+uri(t, n, "vol"), "SNAPSHOT="+uri(t, n, "snap"), "MISSING="+uri(t, n, "missing"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "libnbd is content") {
		t.Errorf("%v\n%s", err, out)
	}
}
