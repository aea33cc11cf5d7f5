package xseg_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// soak is a small node under random load: two servers, two that pass work on to them, clients of
// all four.
type soak struct {
	t       *testing.T
	n       *xsegtest.Node
	rng     *rand.Rand
	seg     *xseg.Segment
	servers [4]*xsegtest.Child
	clients [8]*xsegtest.Child
}

const (
	soakServers = 10 // ports 10 and 11 echo, 12 and 13 forward to them
	soakClients = 100
)

func (s *soak) startServer(i int) {
	port := soakServers + i
	if i < 2 {
		s.servers[i] = s.n.Child(s.t, "echo", []string{fmt.Sprint(port)})
	} else {
		s.servers[i] = s.n.Child(s.t, "forward", []string{fmt.Sprint(port), fmt.Sprint(port - 2)})
	}
}

func (s *soak) startClient(i int) {
	s.clients[i] = s.n.Child(s.t, "load", []string{fmt.Sprint(soakClients + i),
		fmt.Sprint(soakServers + i%4), "8", "0", "40000", fmt.Sprint(s.rng.Uint32())})
}

// strike kills or stops some process, and starts a successor.
func (s *soak) strike() {
	switch s.rng.IntN(6) {
	case 0, 1, 2:
		i := s.rng.IntN(len(s.servers))
		s.servers[i].Kill()
		s.startServer(i)
	case 3, 4:
		i := s.rng.IntN(len(s.clients))
		s.clients[i].Kill()
		s.startClient(i)
	default:
		victims := append(s.servers[:], s.clients[:]...)
		c := victims[s.rng.IntN(len(victims))]
		c.Signal(syscall.SIGSTOP)
		s.pause(30)
		c.Signal(syscall.SIGCONT)
	}
}

// pause lets the load run for a random time: the moment of the next strike is what is random.
func (s *soak) pause(ms int) { time.Sleep(time.Duration(s.rng.IntN(ms*1000)) * time.Microsecond) }

// progress waits until each client has got answers to so many more requests.
func (s *soak) progress(more uint64) {
	before := map[xseg.PortNo]uint64{}
	count := func() map[xseg.PortNo]uint64 {
		m := map[xseg.PortNo]uint64{}
		for _, c := range s.seg.Channels() {
			if c.Src >= soakClients && c.State == "live" {
				m[c.Src] = c.Counters.Requests
			}
		}
		return m
	}
	xsegtest.Eventually(s.t, "every client goes on", func() bool {
		now, all := count(), true
		for i := range s.clients {
			no := xseg.PortNo(soakClients + i)
			if _, ok := before[no]; !ok || now[no] < before[no] {
				before[no] = now[no]
			}
			all = all && now[no] >= before[no]+more
		}
		return all
	})
}

// TestSoak: whatever is killed or stopped, every request of those that live ends once and right,
// and nothing is left behind. ARCHIPELAGO_SOAK=1 makes it long.
func TestSoak(t *testing.T) {
	strikes := 60
	if os.Getenv("ARCHIPELAGO_SOAK") != "" {
		strikes = 2500
	}
	n := xsegtest.New(t)
	s := &soak{t: t, n: n, rng: rand.New(rand.NewPCG(xsegtest.Seed(t), 5)), seg: n.Join(t)}
	for i := range s.servers {
		s.startServer(i)
	}
	for i := range s.clients {
		s.startClient(i)
	}
	for range strikes {
		s.pause(40)
		s.strike()
	}
	s.progress(100)
	for _, c := range s.clients {
		c.Signal(syscall.SIGTERM)
		c.Wait()
		if !c.Succeeded() {
			t.Error("a client got a wrong answer, or crashed")
		}
	}
	n.Empty(t, 2)
	sockets, err := os.ReadDir(n.RuntimeDir)
	if err != nil || len(sockets) != len(s.servers) {
		t.Error(sockets, err)
	}
}
