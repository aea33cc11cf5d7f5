package xseg

import (
	"net"
	"testing"
	"time"

	"archipelago/xseg/internal/abi"
)

// joinAgain makes another peer in l's segment; its loop is driven by hand.
func joinAgain(t *testing.T, l *Loop) *Loop {
	t.Helper()
	s, err := Join(l.seg.name)
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(); _ = s.Leave() })
	return other
}

// submitter makes a peer with a channel to port 1 and submits one write on a volume.
func submitter(t *testing.T, l *Loop, no PortNo, v UUID) *Loop {
	t.Helper()
	p, err := l.Bind(t.Context(), no, BindOptions{Role: "client"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Connect(t.Context(), 1, ChannelOptions{Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	k := c.Get(0)
	k.Op, k.Volume = OpWrite, v
	k.Submit()
	return l
}

// TestSuccessorBeforeTheHangUp: nothing orders the hang-up of a dead client and the handshake of
// its successor. Also if the successor comes first, what runs for the dead one is a ghost, and the
// successor's request on that volume waits for it.
func TestSuccessorBeforeTheHangUp(t *testing.T) {
	server, v := loopForTest(t, LoopOptions{}), UUID{7}
	var received []*Request
	_, err := server.Bind(t.Context(), 1, BindOptions{Role: "server", Handler: func(r *Request) { received = append(received, r) }})
	if err != nil {
		t.Fatal(err)
	}
	drive := func(n int) {
		for begun := time.Now(); len(received) < n && time.Since(begun) < 5*time.Second; {
			server.batch()
		}
	}
	dead := submitter(t, joinAgain(t, server), 2, v)
	if drive(1); len(received) != 1 {
		t.Fatal("the first request doesn't arrive")
	}
	// Dead for everybody, while its socket is still open: the lock is what tells.
	if err := dead.seg.file.Unlock(abi.LockPorts + 2); err != nil {
		t.Fatal(err)
	}
	submitter(t, joinAgain(t, server), 3, v)
	for len(server.served) < 2 {
		server.batch()
	}
	server.batch()
	if len(received) != 1 {
		t.Fatal("a request was served beside a ghost on its volume")
	}
	received[0].RespondOnLoop(0, 0)
	if drive(2); len(received) != 2 {
		t.Fatal("the parked request is lost")
	}
	received[1].RespondOnLoop(0, 0)
	server.batch()
}

// TestVerdictIsLookedAtTwice: a row that is not the one which was judged stays.
func TestVerdictIsLookedAtTwice(t *testing.T) {
	l := loopForTest(t, LoopOptions{})
	s := l.seg
	at, err := s.newChannel(2, 1<<groupBits|1, 3, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &s.channels[at.id]
	c.State.Store(abi.ChannelOrphan)
	judged := verdict{at.id, c.Serial.Load(), c.SrcIncarnation.Load()}
	for name, v := range map[string]verdict{
		"serial":      {at.id, judged.serial + 1, judged.srcInc},
		"incarnation": {at.id, judged.serial, judged.srcInc + 1},
	} {
		if s.execute(v); c.State.Load() != abi.ChannelOrphan {
			t.Errorf("another %s: freed all the same", name)
		}
	}
	c.State.Store(abi.ChannelLive)
	if s.execute(judged); c.State.Load() != abi.ChannelLive {
		t.Error("a live channel was freed")
	}
	c.State.Store(abi.ChannelOrphan)
	if s.execute(judged); c.State.Load() != abi.ChannelFree {
		t.Error("not freed")
	}
}

// dialPort connects to the socket of a port that has been bound and will listen soon.
func dialPort(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("unixpacket", path)
		if err == nil {
			return c.(*net.UnixConn)
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatal(err)
		}
	}
}

// TestDeathInTheHandshake: the channel of a submitter that dies in the middle of connecting is given
// back by the server, which alone has heard of it.
func TestDeathInTheHandshake(t *testing.T) {
	server := loopForTest(t, LoopOptions{})
	if _, err := server.Bind(t.Context(), 1, BindOptions{Role: "server", Handler: func(*Request) {}}); err != nil {
		t.Fatal(err)
	}
	client := joinAgain(t, server)
	p, err := client.Bind(t.Context(), 2, BindOptions{Role: "client"})
	if err != nil {
		t.Fatal(err)
	}
	c := &Channel{port: p, loop: client, dst: 1, opts: ChannelOptions{Slots: 4}}
	if err := c.create(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn := dialPort(t, client.seg.socketPath(1))
	if err := send(conn, message{kind: msgHello, channel: uint32(c.id), src: 2, srcInc: p.incarnation}); err != nil {
		t.Fatal(err)
	}
	if _, err := receive(conn, msgReady); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	row := &server.seg.channels[c.id]
	if st := row.State.Load(); st != abi.ChannelLive {
		t.Fatalf("state %d while the submitter lives", st)
	}
	if err := client.seg.file.Unlock(abi.LockPorts + 2); err != nil { // dead for everybody
		t.Fatal(err)
	}
	for begun := time.Now(); row.State.Load() != abi.ChannelFree; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("the channel of a dead submitter is never given back")
		}
	}
}
