package xseg

import (
	"context"
	"errors"
	"syscall"
)

// Spec describes a segment: posix:<name>:<ports>:<MiB>:<page shift>.
type Spec struct {
	Name      string // [A-Za-z0-9._-], 1-63 bytes
	Ports     int
	SizeMiB   int
	PageShift int // only 12
}

// ParseSpec reads the documented form of a spec.
func ParseSpec(s string) (Spec, error) { panic("stub") }

func (s Spec) String() string { panic("stub") }

// CreateOptions are what Create needs besides the spec.
type CreateOptions struct {
	RuntimeDir string // where the ports' sockets are; at most 79 bytes; made if missing
	Group      int    // owning group of the file; -1 = leave
}

// Create makes a segment; ErrExists if the name is taken (the error names its creator's ports).
func Create(spec Spec, opts CreateOptions) error { panic("stub") }

// Destroy removes the name of a segment and its sockets. ErrBusy while a port is bound, unless force.
func Destroy(name string, force bool) error { panic("stub") }

// Segment is a joined segment. Safe for use by many goroutines.
type Segment struct{ _ int }

// Join maps an existing segment. ErrNoSegment if there is none, ErrVersion if its layout is
// another one (both numbers are named).
func Join(name string) (*Segment, error) { panic("stub") }

// Leave unmaps. Precondition: all loops have ended.
func (s *Segment) Leave() error { panic("stub") }

// Name returns the segment's name.
func (s *Segment) Name() string { panic("stub") }

// RuntimeDir returns the directory of the ports' sockets.
func (s *Segment) RuntimeDir() string { panic("stub") }

// Lease returns the words of the lease in the header: deadline on CLOCK_BOOTTIME, and term.
func (s *Segment) Lease() (deadline, term uint64) { panic("stub") }

// OffsetOf returns where b lies in the segment; false if it doesn't lie in it whole.
func (s *Segment) OffsetOf(b []byte) (Offset, bool) { panic("stub") }

// Counters is a snapshot of a port's or channel's counters.
type Counters struct {
	Requests, Errors, BytesRead, BytesWritten, InFlight, Wakes, Restarts uint64
	Latency                                                              [32]uint64 // [i]: 2^i <= ns/256 < 2^(i+1)
}

// PortInfo describes a bound port.
type PortInfo struct {
	No          PortNo
	Role        string
	PID         int
	Alive       bool // the range lock of the port is held
	Incarnation uint64
	Counters    Counters
}

// ChannelInfo describes a channel in use.
type ChannelInfo struct {
	ID          int
	State       string
	Src, Dst    PortNo
	Slots       int
	BufferBytes int64
	BackedBytes int64
	InFlight    int
	Counters    Counters
}

// Ports lists bound ports (dead holders included: Alive is false). Reads memory only.
func (s *Segment) Ports() []PortInfo { panic("stub") }

// Channels lists channels in use. Reads memory only.
func (s *Segment) Channels() []ChannelInfo { panic("stub") }

// Loop is a serving thread: it receives requests of all ports bound on it and completions of all
// channels connected from them, and runs their callbacks, one at a time.
type Loop struct{ _ int }

// NewLoop takes a waiter of the segment.
func (s *Segment) NewLoop() (*Loop, error) { panic("stub") }

// Run locks the calling goroutine to its thread and serves until ctx ends; then it stops taking
// new requests, waits until the requests it has received are answered, and returns. Call once.
func (l *Loop) Run(ctx context.Context) error { panic("stub") }

// Close gives ports, channels and the waiter back. After Run has returned (or never ran).
func (l *Loop) Close() error { panic("stub") }

// Post runs f on the loop soon. Any goroutine; doesn't block.
func (l *Loop) Post(f func()) { panic("stub") }

// AtBatchEnd registers f to run on the loop after each batch (before it wakes peers and sleeps).
// Before Run.
func (l *Loop) AtBatchEnd(f func()) { panic("stub") }

// Handler serves one received request. It runs on the loop, must not block, and sees to it that
// Respond is called exactly once, now or later.
type Handler func(*Request)

// BindOptions are what Bind needs besides the number.
type BindOptions struct {
	Role    string
	Handler Handler // nil: the port submits only
	// Gone is told, on the loop, that a channel's submitter is gone and that all its requests
	// have ended. May be nil.
	Gone func(src PortNo)
}

// Port is a bound port.
type Port struct{ _ int }

// Bind takes port no for the life of the loop. A dead predecessor of the same role is waited for
// until what it had passed on is done; a live holder is ErrBusy, naming it. Blocks; ctx ends it.
func (l *Loop) Bind(ctx context.Context, no PortNo, opts BindOptions) (*Port, error) { panic("stub") }

// BindAny takes the first free port of from..to; waits a short while if all are taken.
func (l *Loop) BindAny(ctx context.Context, from, to PortNo, opts BindOptions) (*Port, error) {
	panic("stub")
}

// No returns the port's number.
func (p *Port) No() PortNo { panic("stub") }

// ChannelOptions are what Connect needs besides the destination.
type ChannelOptions struct {
	Slots       int   // power of two, at most 1024
	BufferBytes int64 // buffer area reserved (not backed); 0 for a channel that only passes on
	// Wait makes Connect wait for a server that isn't there yet (until ctx ends).
	Wait bool
	// RecoverySeconds: how long requests wait for a dead server's successor before they fail with
	// EHOSTDOWN; 0 = for ever.
	RecoverySeconds int
}

// Channel is a connection from a port of ours to a port of another peer. If the server dies its
// requests wait for the successor and are pushed again: callers see a pause.
type Channel struct{ _ int }

// Connect makes a channel. ErrNotRunning if nobody serves dst (and Wait isn't set). Blocks.
func (p *Port) Connect(ctx context.Context, dst PortNo, opts ChannelOptions) (*Channel, error) {
	panic("stub")
}

// Call is the submitter's side of one request. Set the exported fields before Submit.
type Call struct {
	Op        uint32
	Flags     uint32
	Volume    UUID
	Term      uint64
	Offset    uint64
	Size      uint64
	RequestID RequestID
	// Done runs on the loop when the reply is there (or the request has failed for good). It may
	// Put the call, and Get and Submit others.
	Done func(*Call)
	// User belongs to the submitter.
	User any
	_    int
}

// Get takes a free slot with a buffer of dataBytes (0 = none) and returns a cleared call, or nil:
// no slot or no buffer now. Any goroutine; doesn't block, doesn't allocate.
func (c *Channel) Get(dataBytes int) *Call { panic("stub") }

// GetWait is Get that waits for room, until ctx ends. Not on the loop.
func (c *Channel) GetWait(ctx context.Context, dataBytes int) (*Call, error) { panic("stub") }

// OnRoom registers f, run on the loop whenever room appeared after a Get that found none.
func (c *Channel) OnRoom(f func()) { panic("stub") }

// SetTarget sets the name that the request acts on, at most 176 bytes.
func (k *Call) SetTarget(name string) { panic("stub") }

// Data returns the call's buffer, page-aligned; or what SetData pointed it to.
func (k *Call) Data() []byte { panic("stub") }

// SetData points the request at a buffer that lies elsewhere in the segment (zero copy). The
// caller keeps it alive until Done.
func (k *Call) SetData(b []byte) { panic("stub") }

// Payload returns the inline area (208 bytes): arguments before Submit, reply after Done.
func (k *Call) Payload() []byte { panic("stub") }

// SetPayloadLen says how much of Payload is meant.
func (k *Call) SetPayloadLen(n int) { panic("stub") }

// PayloadLen returns how much of Payload the reply means, at most 208.
func (k *Call) PayloadLen() int { panic("stub") }

// Submit publishes the request and wakes the server. Any goroutine.
func (k *Call) Submit() { panic("stub") }

// SubmitOnLoop is Submit for callbacks on the loop: the server is woken at the end of the batch.
func (k *Call) SubmitOnLoop() { panic("stub") }

// Errno returns the reply's error, 0 for success. After Done.
func (k *Call) Errno() syscall.Errno { panic("stub") }

// Serviced returns the reply's count. After Done.
func (k *Call) Serviced() uint64 { panic("stub") }

// Put gives slot and buffer back. After Done, or instead of Submit. Any goroutine.
func (k *Call) Put() { panic("stub") }

// Do submits and waits for the reply. Not on the loop. If ctx ends first the call is cancelled if
// no server has begun it, else its slot is quarantined until the answer; either way Do puts it
// back by itself and returns ctx's error. It returns nil whatever the reply's errno is.
func (k *Call) Do(ctx context.Context) error { panic("stub") }

// Request is the server's side of one request, valid until it was answered.
type Request struct {
	// User belongs to the server.
	User any
	_    int
}

// Op, Flags, Volume, Term, Offset, Size, RequestID return the request's fields, read once.
func (r *Request) Op() uint32           { panic("stub") }
func (r *Request) Flags() uint32        { panic("stub") }
func (r *Request) Volume() UUID         { panic("stub") }
func (r *Request) Term() uint64         { panic("stub") }
func (r *Request) Offset() uint64       { panic("stub") }
func (r *Request) Size() uint64         { panic("stub") }
func (r *Request) RequestID() RequestID { panic("stub") }

// Source returns the submitter's port.
func (r *Request) Source() PortNo { panic("stub") }

// Serial tells channels apart, also one that was made anew between the same ports.
func (r *Request) Serial() uint64 { panic("stub") }

// Target returns the name, copied out of the segment into the request: stable until Respond.
func (r *Request) Target() []byte { panic("stub") }

// Data returns the buffer in the segment. The submitter may scribble on it: read each byte once.
func (r *Request) Data() []byte { panic("stub") }

// Payload returns the inline area (208 bytes) for the reply; PayloadIn what came with the request.
func (r *Request) Payload() []byte   { panic("stub") }
func (r *Request) PayloadIn() []byte { panic("stub") }

// SetPayloadLen says how much of Payload the reply means.
func (r *Request) SetPayloadLen(n int) { panic("stub") }

// Respond answers. Exactly once, any goroutine; r must not be touched afterwards.
func (r *Request) Respond(errno syscall.Errno, serviced uint64) { panic("stub") }

// RespondOnLoop is Respond for callbacks on the loop: the submitter is woken at the end of the batch.
func (r *Request) RespondOnLoop(errno syscall.Errno, serviced uint64) { panic("stub") }

// Errors of this package; wrapped with what they are about.
var (
	ErrExists     = errors.New("exists")
	ErrBusy       = errors.New("busy")
	ErrNoSegment  = errors.New("no such segment")
	ErrNotRunning = errors.New("not running")
	ErrVersion    = errors.New("segment has another version")
	ErrLimit      = errors.New("limit reached")
	ErrNoMemory   = errors.New("no shared memory left")
	ErrSpec       = errors.New("invalid segment spec")
)
