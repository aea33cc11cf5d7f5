package transport

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// Ports of the crew: two leaves, two fronts that pass on to them, and clients.
const (
	firstLeaf   = 20
	firstFront  = 22
	nrServers   = 4
	firstClient = 100
	controlPort = 150
)

// proc is one place of the crew, and the process that fills it now.
type proc struct {
	role    string
	no      int
	child   *xsegtest.Child
	up      bool // has said that it serves
	stopped bool // by a signal
	trapped bool // will kill itself at a step
	leaving bool // was asked to end
	gone    bool // has ended as it was asked
	next    standby
	lives   int
	stops   int
	ended   int64  // when the last life ended by a kill; 0 once its successor serves
	begun   uint64 // first request of the present life of a client
}

// event is what a process says, or its end.
type event struct {
	p     *proc
	child *xsegtest.Child
	line  string
	state *os.ProcessState
}

// crew is all processes of a soak.
type crew struct {
	t        *testing.T
	n        *xsegtest.Node
	dir      string
	rng      *rand.Rand
	procs    []*proc
	journals []*journal
	events   chan event
	resume   chan *proc
	restart  bool // who dies is replaced

	kills, steps, stops int
	stalls              stalls
}

func newCrew(t *testing.T) *crew {
	c := &crew{t: t, n: xsegtest.New(t), dir: t.TempDir(), rng: rand.New(rand.NewPCG(xsegtest.Seed(t), 7)),
		events: make(chan event), resume: make(chan *proc), restart: true}
	for i := range nrServers {
		role := "leaf"
		if i >= firstFront-firstLeaf {
			role = "front"
		}
		c.procs = append(c.procs, &proc{role: role, no: i})
	}
	for i := range nrClients {
		j, err := openJournal(c.dir, i)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Munmap(j.mem) })
		c.journals = append(c.journals, j)
		c.procs = append(c.procs, &proc{role: "client", no: i})
	}
	return c
}

func (c *crew) clients() []*proc { return c.procs[nrServers:] }
func (c *crew) servers() []*proc { return c.procs[:nrServers] }

// args says what a process is told: each client has a leaf and a front of its own choice.
func (c *crew) args(p *proc, life int) []string {
	switch p.role {
	case "leaf":
		return []string{fmt.Sprint(firstLeaf + p.no), c.dir}
	case "front":
		return []string{fmt.Sprint(firstLeaf + p.no), fmt.Sprint(firstLeaf + p.no - 2)}
	}
	return []string{c.dir, fmt.Sprint(p.no), fmt.Sprint(life), fmt.Sprint(c.rng.Uint64()),
		fmt.Sprint(firstLeaf + p.no%2), fmt.Sprint(firstFront + p.no/2%2)}
}

// start fills a place. Some processes get a trap: a step at which they kill themselves.
func (c *crew) start(p *proc, trap bool) {
	p.lives++
	p.up, p.stopped, p.leaving = false, false, false
	if p.role == "client" {
		p.begun = c.journals[p.no].next()
	}
	if !c.promote(p) {
		p.child, p.trapped = c.spawn(p, p.lives, trap), trap
	}
	if c.restart && p.role == "client" {
		trap := c.rng.IntN(3) == 0
		p.next = standby{child: c.spawn(p, p.lives+1, trap), trap: trap}
	}
}

// spawn starts a process for a place.
func (c *crew) spawn(p *proc, life int, trap bool) *xsegtest.Child {
	var env []string
	if trap {
		steps := xsegtest.SubmitterSteps
		if p.role != "client" {
			steps = xsegtest.ServerSteps
		}
		env = append(env, xsegtest.KillAt(steps[c.rng.IntN(len(steps))], 1<<c.rng.IntN(9)))
	}
	child := c.n.Child(c.t, p.role, c.args(p, life), env...)
	go c.watch(p, child)
	return child
}

// watch reports what a process says, and its end.
func (c *crew) watch(p *proc, child *xsegtest.Child) {
	for line := child.Line(); line != ""; line = child.Line() {
		c.events <- event{p: p, child: child, line: line}
	}
	c.events <- event{p: p, child: child, state: child.State()}
}

// pump handles events until cond holds; false if that takes longer than limit.
func (c *crew) pump(limit time.Duration, cond func() bool) bool {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	look := time.NewTicker(2 * time.Millisecond) // progress of clients is announced by nobody
	defer look.Stop()
	for !cond() {
		select {
		case e := <-c.events:
			c.handle(e)
		case p := <-c.resume:
			c.cont(p)
		case <-look.C:
			c.look()
		case <-timeout.C:
			return cond()
		}
	}
	return true
}

func (c *crew) handle(e event) {
	p := e.p
	switch {
	case e.line == "ready":
		p.up = true
	case e.line == "standing by":
		p.stands(e.child)
	case strings.HasPrefix(e.line, "serving "):
		c.serving(p, e.line)
	case e.line != "":
		// "drained" and the like: the end of the process says it all
	case p.next.child == e.child:
		p.next = standby{}
	case p.child != e.child:
	default:
		c.ended(p, e.state)
	}
}

// ended judges the end of a process: killed, or in order when asked. Anything else is a failure.
func (c *crew) ended(p *proc, state *os.ProcessState) {
	ws := state.Sys().(syscall.WaitStatus)
	killed := ws.Signaled() && ws.Signal() == syscall.SIGKILL
	switch {
	case p.leaving && state.Success():
		p.gone = true
		c.judge(p, true)
		return
	case !killed:
		c.t.Fatalf("%s %d ended: %v\n%s", p.role, p.no, state, failures(c.dir))
	}
	if p.trapped {
		c.steps++
	}
	c.judge(p, false)
	p.ended = monotonic()
	c.start(p, c.restart && c.rng.IntN(3) == 0)
}

// judge looks at the journal of a client's life.
func (c *crew) judge(p *proc, survived bool) {
	if p.role != "client" {
		return
	}
	j := c.journals[p.no]
	if err := j.check(p.begun, j.next(), survived); err != nil {
		c.t.Error(err)
	}
}

func (c *crew) kill(p *proc) {
	c.kills++
	p.child.Signal(syscall.SIGKILL)
}

// stop freezes a process for a while.
func (c *crew) stop(p *proc, d time.Duration) {
	if p.stopped {
		return
	}
	c.stops++
	p.stops++
	p.stopped = true
	p.child.Signal(syscall.SIGSTOP)
	time.AfterFunc(d, func() { c.resume <- p })
}

func (c *crew) cont(p *proc) {
	if p.stopped {
		p.stopped = false
		p.child.Signal(syscall.SIGCONT)
	}
}

// disturb does something bad to one to four processes.
func (c *crew) disturb() {
	for range 1 + c.rng.IntN(4) {
		p := c.procs[c.rng.IntN(len(c.procs))]
		for c.rng.IntN(2) == 0 && p.role == "client" {
			p = c.procs[c.rng.IntN(len(c.procs))] // servers are fewer, and more interesting
		}
		switch c.rng.IntN(8) {
		case 0, 1, 2:
			c.stop(p, time.Duration(c.rng.IntN(int(60*time.Millisecond))))
		case 3: // a server that learns of its client's death and successor at the same moment
			c.stop(p, time.Duration(20+c.rng.IntN(60))*time.Millisecond)
			c.kill(c.clients()[c.rng.IntN(nrClients)])
		default:
			c.kill(p)
		}
	}
}

func (c *crew) disturbances() int { return c.kills + c.steps + c.stops }

// allUp says whether everybody serves and runs.
func (c *crew) allUp() bool {
	for _, p := range c.procs {
		if !p.up || p.stopped {
			return false
		}
	}
	return true
}

// wedge is how long a live client may go without an answer while everybody is up: generous, as
// machines are busy.
const wedge = 10 * time.Second

// settle waits until everybody is up and every route of every client has moved on; it returns how
// long the last of them took once all were up.
func (c *crew) settle() time.Duration {
	c.t.Helper()
	if !c.pump(xsegtest.Patience, c.allUp) {
		c.wedged("not everybody came up")
	}
	from, was := time.Now(), c.progress()
	moved := func() bool {
		for i, n := range c.progress() {
			if n == was[i] {
				return false
			}
		}
		return true
	}
	if !c.pump(wedge, moved) {
		c.wedged("a client has stopped moving")
	}
	return time.Since(from)
}

func (c *crew) progress() []uint64 {
	var all []uint64
	for _, j := range c.journals {
		for r := range nrRoutes {
			all = append(all, j.progress(r))
		}
	}
	return all
}

// wedged ends the test with all that helps to find out why.
func (c *crew) wedged(what string) {
	s := c.n.Join(c.t)
	for _, p := range c.procs {
		c.t.Logf("%s %d: pid %d, up %v, stopped %v", p.role, p.no, p.child.PID(), p.up, p.stopped)
	}
	for _, ch := range s.Channels() {
		c.t.Logf("%+v", ch)
	}
	c.t.Logf("progress %v", c.progress())
	for _, p := range c.procs {
		p.child.Signal(syscall.SIGQUIT) // prints its stacks
		p.child.Wait()
	}
	c.t.Fatalf("%s\n%s", what, failures(c.dir))
}

// leave asks processes to end and waits until they have.
func (c *crew) leave(ps []*proc) {
	c.t.Helper()
	for _, p := range ps {
		p.leaving = true
		p.child.Signal(syscall.SIGTERM)
	}
	if !c.pump(2*xsegtest.Patience, func() bool {
		for _, p := range ps {
			if !p.gone {
				return false
			}
		}
		return true
	}) {
		c.wedged("not everybody has left")
	}
}

// holdings are what a process has open.
type holdings struct{ goroutines, descriptors uint64 }

// held asks a server what it holds.
func held(t *testing.T, n *xsegtest.Node, to xseg.PortNo) (h holdings) {
	p := n.Peer(t)
	ch := p.Connect(p.Bind(controlPort, xseg.BindOptions{Role: "control"}), to, xseg.ChannelOptions{Slots: 1})
	p.Run()
	k := ch.Get(0)
	k.Op = opStat
	if err := k.Do(t.Context()); err != nil || k.Errno() != 0 {
		t.Fatal(err, k.Errno())
	}
	h = holdings{binary.LittleEndian.Uint64(k.Payload()), binary.LittleEndian.Uint64(k.Payload()[8:])}
	k.Put()
	p.Stop()
	return h
}

// sockets returns what lies in the runtime directory.
func sockets(t *testing.T, n *xsegtest.Node) []string {
	all, err := filepath.Glob(n.RuntimeDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	return all
}
