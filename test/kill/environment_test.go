package kill

import (
	"testing"

	"archipelago/test/testnode"
	"archipelago/xseg"
)

// sameProcesses checks that no peer was restarted.
func sameProcesses(t *testing.T, n *testnode.Node, before []xseg.PortInfo) {
	t.Helper()
	was := map[string]int{}
	for _, p := range before {
		was[p.Role] = p.PID
	}
	for _, p := range n.Peers() {
		if was[p.Role] != p.PID {
			t.Errorf("%s was restarted", p.Role)
		}
	}
}
