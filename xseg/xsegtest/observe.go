package xsegtest

import (
	"syscall"
	"testing"
	"time"

	"archipelago/xseg"
)

// Eventually waits until cond holds; it is for what nobody announces, like the table of a segment
// that other processes change.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(Patience); !cond(); {
		if time.Now().After(limit) {
			t.Fatalf("never came true: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// Empty waits until the segment has exactly the given number of channels, and no memory beyond
// what they and the tables take.
func (n *Node) Empty(t testing.TB, channels int) {
	t.Helper()
	s := n.Join(t)
	var list []xseg.ChannelInfo
	Eventually(t, "the right number of channels", func() bool {
		list = s.Channels()
		return len(list) == channels
	})
	limit := int64(4 << 20) // tables
	for _, c := range list {
		limit += c.BackedBytes + int64(c.Slots)*520 + 8192
	}
	var used int64
	Eventually(t, "memory given back", func() bool {
		used = n.Used(t)
		return used <= limit
	})
}

// controlStep lets somebody do a control step on the segment.
func (n *Node) controlStep(t testing.TB) {
	p := n.Peer(t)
	p.Bind(clientPort+9, xseg.BindOptions{Role: "passer-by"})
	p.Stop()
}

// Used returns the bytes of memory behind the segment.
func (n *Node) Used(t testing.TB) int64 {
	var st syscall.Stat_t
	if err := syscall.Stat("/dev/shm/"+n.Name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// WaitBound waits until somebody alive holds the port.
func (n *Node) WaitBound(t testing.TB, no xseg.PortNo) {
	t.Helper()
	s := n.Join(t)
	Eventually(t, "port bound", func() bool {
		for _, p := range s.Ports() {
			if p.No == no && p.Alive {
				return true
			}
		}
		return false
	})
}

// progress waits until the load has ended so many more requests.
func (p *Peer) progress(l *Load, more int64) {
	p.t.Helper()
	if p.started != nil {
		<-p.started
	}
	var at int64 = -1
	Eventually(p.t, "requests go on", func() bool {
		now := make(chan int64)
		p.Loop.Post(func() { now <- l.ended })
		n := <-now
		if at < 0 {
			at = n
		}
		return n >= at+more || l.err != nil
	})
}
