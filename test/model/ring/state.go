package ring

// Slot states, as in abi.h.
const (
	slotFree = iota
	slotSubmitted
	slotRunning
	slotDone
	slotCancelled
)

type slot struct {
	st, gen uint8
	req     uint8 // request that it holds
	reply   uint8 // request that was answered
}

type entry struct{ slot, gen uint8 }

// extent is the shared memory of a channel.
type extent struct {
	tail, head uint8
	ring       [slots]entry
	slots      [slots]slot
	bits       uint8
}

// Consumer's half of the wait word.
const (
	awake  = iota
	armed  // word is odd
	again  // looks once more
	wait   // will wait if the word is what it was
	asleep // in the futex
	returned
	goOn
)

// waiter is a wait word with its consumer. The word's value matters only as far as it is still the
// one that somebody has seen.
type waiter struct {
	odd  bool
	same bool // still what the consumer armed
	at   uint8
}

// Phases of a call, as its submitter remembers it.
const (
	callFree = iota
	callFlying
	callAbandoned
	callCancelled
)

type call struct{ phase, req, gen, at uint8 }

// Positions of a submitter's thread.
const (
	atLook = iota
	atState
	atEntry
	atTail
	atWord
	atFutex
	atReset // empties the rings for a successor
	atPush  // pushes again
)

// Handshake of a submitter.
const (
	shakeNone = iota
	shakeReady
	shakePushed // rings are pushed again, GO is out
	shakeLive
)

// Life of a submitter.
const (
	notYet = iota
	alive
	dead
	ended
)

type client struct {
	st, pc, cur uint8
	calls       [slots]call
	tail        uint8
	sent        uint8 // requests begun
	over        uint8 // requests ended, of any fate
	shake       uint8
	known       bool // was connected once: it may submit
	seenHead    uint8
	woke        bool // the server's word is still what this one moved it to
	w           waiter
}

// Work on a request in the server.
const (
	workNone = iota
	workParked
	workRuns
	workPassed
	workBack   // answered by the other server
	workLanded // its effect is there, and its reply in the slot
	workDone   // slot DONE, or bit set, whichever comes first
)

type work struct {
	st, req, gen uint8
	ghost        bool
}

// Life of a channel in the server.
const (
	servedNone = iota
	servedReserved
	servedMailed // the loop will hear of it
	servedLive
	servedHungUp // nobody told the loop yet
	servedDead
)

type served struct {
	st, head, staged uint8
	woke             bool  // the submitter's word is still what this one moved it to
	due              bool  // is to be woken
	told, moved      uint8 // workers that have told an answer, and are to wake the submitter
}

// Positions of the server's thread.
const (
	srvLook = iota
	srvEntry
	srvStore // the second half of a begin without compare-and-swap
	srvEnd
	srvHead
	srvBits
	srvWord
	srvFutex
)

type server struct {
	st, pc, cur uint8
	left, slot  uint8
	sv          [submitters]served
	work        [submitters][slots]work
	w           waiter
}

// Life of the server.
const (
	srvDown = iota
	srvWaits
	srvUp
)

// Work on a request in the other server.
const (
	farNone = iota
	farSubmitted
	farRuns
	farDone
)

type far struct {
	st, req, gen uint8
	old          bool // its server is dead
}

type state struct {
	ext      [submitters]extent
	cl       [submitters]client
	srv      server
	far      [submitters][slots]far
	done     [submitters]uint8 // requests that were DONE once, as bits
	newer    bool              // a request of the successor has been executed
	srvKills uint8
	clKills  uint8
	cancels  uint8
	early    uint8
	wrong    wrong
}

type wrong uint8

const (
	nothing wrong = iota
	reused
	ghost
	doubled
	foreign
	takenBack
	kicked
)

var wrongs = [...]string{"", "a server writes to a buffer that isn't its request's any more",
	"a ghost: executed after a request of its submitter's successor",
	"executed again after it was answered", "the answer is another request's",
	"executed after it was taken back", "an honest submitter has more in its ring than it has slots"}

func (s *state) fail(w wrong) {
	if s.wrong == nothing {
		s.wrong = w
	}
}
