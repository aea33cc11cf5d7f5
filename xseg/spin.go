package xseg

import "archipelago/xseg/internal/shm"

// Tuning of the spin before a sleep. A wake-up through the kernel costs 5 to 50 µs where the woken
// core was busy of late, and up to some hundred on a virtual machine whose core has halted, so
// looking for that long pays if work tends to come within that time. sched_yield makes it harmless
// where others want the core.
const (
	spinAlone  = 200_000 // ns, while nobody else wants the core: what KVM lets an idle core spin for
	spinShared = 100_000 // ns
	spinMax    = 8

	// looks is how many there are between two looks at the clock, which costs as much as one.
	looks = 4
	// aloneBelow is how long they take, in ns, where no yield gives the core to somebody.
	aloneBelow = 10_000

	// Batches of several requests share the cost of a wake-up, and come from a client that keeps all
	// busy: who spins for long then takes the core from one of them.
	spinShort = 10_000 // ns
	spinFew   = 2      // requests: batches of more are followed by short spins

	// A yield that gave the core to somebody who keeps it costs a time slice, 1 ms and more; asleep
	// we would have been woken onto an idle core, or ahead of him. So the next rests don't spin:
	// twice as many each time, until spins have been worth it for a while. One such loss alone says
	// nothing (the host of a virtual machine takes the core away as well): it takes two at once.
	spinLost   = 500_000 // ns from one batch to the next, with the spin between them
	lostFew    = 4       // requests: a loss that more of them share is no reason to give up
	penaltyMin = 64      // rests
	penaltyMax = 1 << 12
)

// spinner learns whether work tends to come within the time of a spin. An idle loop doesn't spin
// at all.
type spinner struct {
	score int  // spins while it is positive
	found bool // the last rest was a spin that found work
	short bool // the last batch but one was of several requests
	alone bool // nobody else wanted the core in the last looks

	lost    int // 2 for each loss not long ago
	penalty int // rests without a spin after the next losses
}

// spin looks for work for a while; true if there is some.
func (s *spinner) spin(found func() bool) bool {
	if s.score <= 0 {
		s.score = min(s.score+1, 0)
		return false
	}
	begun := shm.Monotonic()
	for last := begun; ; {
		for range looks {
			if found() {
				s.score = min(s.score+1, spinMax)
				s.found = true
				return true
			}
			shm.Yield()
		}
		now := shm.Monotonic()
		s.alone = now-last < aloneBelow
		last = now
		if now-begun > s.limit() {
			s.score -= 2
			return false
		}
	}
}

// limit is how long the next spin, or the one that runs, takes at most, in ns.
func (s *spinner) limit() int64 {
	if s.short {
		return spinShort
	}
	return s.patience()
}

// patience is how long a spin takes at most that waits for a single request, in ns.
func (s *spinner) patience() int64 {
	if s.alone {
		return spinAlone
	}
	return spinShared
}

// began learns, when a batch begins, how long after the one before that is, and how many requests
// and answers that one had.
func (s *spinner) began(ns int64, handled int) {
	s.short = handled > spinFew
	switch {
	case !s.found:
	case ns > spinLost && handled > lostFew:
	case ns > spinLost:
		if s.lost += 2; s.lost < 4 {
			break
		}
		s.lost = 0
		s.penalty = min(max(2*s.penalty, penaltyMin), penaltyMax)
		s.score = -s.penalty
	default:
		s.lost = max(s.lost-1, 0)
		s.penalty -= (s.penalty + 1023) / 1024
	}
	s.found = false
}

// slept learns from a sleep of ns: one that is shorter than a spin would have been better spent so.
func (s *spinner) slept(ns int64) {
	switch {
	case s.score < 0:
	case ns < s.patience():
		s.score = min(s.score+2, spinMax)
	default:
		s.score = max(s.score-1, 0)
	}
}
