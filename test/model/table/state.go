package table

// Row states, as in abi.h.
const (
	rowFree = iota
	rowSetup
	rowLive
	rowOrphan
	rowDrained
)

// row is an entry of the channel table. src is the port of the submitter, dst that of the server.
type row struct {
	st, src, dst, srcInc, dstInc, serial uint8
}

func (r *row) inUse() bool { return r.st == rowLive || r.st == rowOrphan }

// States of the one request of a channel.
const (
	reqNone = iota
	reqSubmitted
	reqRunning
	reqDone
)

// extent is what lies in the memory of a row: one request, which push of it, and the buffer that
// it points to: its own, or that of the request that is passed on.
type extent struct {
	st, push uint8
	buf      buffer
}

// buffer names a buffer by its row, and the push of the request that it belongs to.
type buffer struct{ row, push uint8 }

// entry is a row of the port table, with the lock that belongs to it.
type entry struct {
	inc   uint8
	bound bool
	lock  uint8 // peer + 1 that holds the range lock
}

// Life of a peer.
const (
	isDown  = iota
	isDying // killed: its sockets are closed, its locks not given up yet
	isBinding
	isWaiting // has the port, waits for what its predecessor passed on
	isUp
	isClosing   // gives its channel back
	isReopening // the same, to connect anew
	isUnbinding // gives its port back
	isEnding    // has no port any more, but goroutines
	isGone      // has ended in order
)

// Handshake of a submitter.
const (
	shakeNone    = iota
	shakeReady   // heard READY
	shakeRenewed // has a serial
	shakeGo      // rings are pushed again, GO is out
	shakeLive
)

// Life of a channel in its server.
const (
	servedNone    = iota
	servedReserve // READY is out
	servedSign    // GO was read
	servedLive
	servedDead  // the submitter hung up
	servedEnded // nothing of it runs; to be released
	servedStray // released, and yet something of it runs
)

// served is one channel in its server.
type served struct {
	st, src, srcInc, serial uint8
	open                    bool  // the connection
	sent                    uint8 // serial of the GO that lies in the socket
	run                     uint8 // what becomes of a request that was begun
	push                    uint8 // of it
	buf                     buffer
}

// What becomes of a request.
const (
	runNone = iota
	runHere
	runPassed // submitted to another server
)

// job is the control step that a peer is in, or waits to do.
type job struct {
	op, pc, row uint8
	set         uint8 // rows to free
	ok          bool
}

type peer struct {
	st, lives, inc uint8
	listening      bool
	stopping       bool

	ch       uint8 // its channel's row + 1
	shake    uint8
	serial   uint8
	heard    uint8 // incarnation that READY named
	push     uint8 // of its request, as it remembers it
	finished bool  // its request has ended
	from     uint8 // row + 1 of the request that it has passed on

	sv  [maxRows]served
	job job
}

type state struct {
	rows    [maxRows]row
	ext     [maxRows]extent
	ports   [maxPorts]entry
	peers   [maxPeers]peer
	control uint8 // peer + 1 that holds the control lock
	step    uint8 // announced control step
	incs    uint8 // given out
	serials uint8
	pushes  uint8
	kills   uint8
	outs    uint8 // timeouts left
	stops   uint8
	wrong   wrong
}

// wrong is a broken promise.
type wrong uint8

const (
	nothing wrong = iota
	wroteAway
	wroteReused
	lostRow
	tooMany
)

var wrongs = [...]string{"", "a server writes to an extent that was given away",
	"a server writes to a buffer that was given back", "a live submitter's row is not its own any more",
	"no free row"}
