package kill

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"archipelago/test/testnode"
	"archipelago/xseg"
)

// tally is what was done to a node, and the longest that a load had to wait.
type tally struct {
	kills, stops, node int
	calls              int
	longest            time.Duration // of one call while the supervisor lived
	longestOf          string
	nodeLongest        time.Duration // of one call over a death of the whole node
}

// stalls notes what the loads have waited for since they were asked last.
func (l *tally) stalls(disks ...*disk) {
	for _, d := range disks {
		longest, calls := d.timed.Longest()
		l.calls += calls
		if longest > l.longest {
			l.longest, l.longestOf = longest, d.name
		}
	}
}

// nodeStalls is stalls of calls that outlived the node, or died with it.
func (l *tally) nodeStalls(disks ...*disk) {
	for _, d := range disks {
		longest, calls := d.timed.Longest()
		l.calls += calls
		l.nodeLongest = max(l.nodeLongest, longest)
	}
}

func (l *tally) String() string {
	return fmt.Sprintf("%d processes killed, %d stopped, %d times the whole node; %d calls, "+
		"longest stall %v (%s), over a restart of the node %v", l.kills, l.stops, l.node, l.calls,
		l.longest.Round(time.Millisecond), l.longestOf, l.nodeLongest.Round(time.Millisecond))
}

// strike hits the node once, in one of several ways.
func (s *storm) strike() {
	switch s.rng.IntN(10) {
	case 0, 1, 2, 3:
		s.kill(pick(s.rng, s.n, 1))
	case 4, 5:
		s.kill(pick(s.rng, s.n, 2+s.rng.IntN(2)))
	case 6:
		s.kill(s.n.Peers())
	case 7:
		s.stop(pick(s.rng, s.n, 1+s.rng.IntN(2)), nil)
	default:
		// Some stand still while others die: what the dead had asked for is done later.
		peers := pick(s.rng, s.n, 5)
		k := min(len(peers), 1+s.rng.IntN(2))
		s.stop(peers[:k], peers[k:])
	}
}

// pick returns up to n peers of the node.
func pick(rng *rand.Rand, n *testnode.Node, most int) []xseg.PortInfo {
	peers := n.Peers()
	rng.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	return peers[:min(most, len(peers))]
}

func (s *storm) kill(peers []xseg.PortInfo) {
	for _, p := range peers {
		if syscall.Kill(p.PID, syscall.SIGKILL) == nil {
			s.tally.kills++
		}
	}
}

// stop stops some peers for a while and kills one of the others meanwhile.
func (s *storm) stop(peers, others []xseg.PortInfo) {
	for _, p := range peers {
		if syscall.Kill(p.PID, syscall.SIGSTOP) == nil {
			s.tally.stops++
		}
	}
	time.Sleep(time.Duration(s.rng.IntN(100)) * time.Millisecond) // requests pile up
	if len(others) > 0 {
		s.kill(others[:1])
	}
	time.Sleep(time.Duration(s.rng.IntN(200)) * time.Millisecond) // successors begin
	for _, p := range peers {
		if s.rng.IntN(3) == 0 {
			s.kill([]xseg.PortInfo{p})
		}
		_ = syscall.Kill(p.PID, syscall.SIGCONT) // it may be gone
	}
}
