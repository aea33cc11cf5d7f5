package xseg

import "archipelago/xseg/internal/shm"

// Tuning of the spin before a sleep. A wake-up through the kernel costs 5 to 50 µs, so looking
// for that long pays if work comes at once; sched_yield makes it harmless where the peer shares
// the core.
const (
	spinTime  = 40_000  // ns
	spinWorth = 100_000 // ns: a shorter sleep would have been better spent spinning
	spinMax   = 8
)

// spinner learns whether work tends to come within the time of a spin. An idle loop doesn't spin
// at all.
type spinner struct {
	score int
}

// spin looks for work for a while; true if there is some.
func (s *spinner) spin(begun int64, found func() bool) bool {
	if s.score <= 0 {
		return false
	}
	for {
		for range 4 {
			if found() {
				s.score = min(s.score+1, spinMax)
				return true
			}
			shm.Yield()
		}
		if shm.Monotonic()-begun > spinTime {
			s.score -= 2
			return false
		}
	}
}

// slept learns from a sleep of ns.
func (s *spinner) slept(ns int64) {
	if ns < spinWorth {
		s.score = min(max(s.score, 0)+2, spinMax)
		return
	}
	s.score = max(s.score-1, 0)
}
