package xseg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// The handshake over a channel's socket (SOCK_SEQPACKET, one message per packet):
//
//	submitter                            server
//	HELLO channel, its incarnation   ->
//	                                 <-  READY incarnation   nothing of that channel runs here
//	(control step: new serial; rings reset, requests not done are pushed again)
//	GO serial                        ->
//	                                 (control step: the table agrees; the server signs it)
//	                                 <-  LIVE
//
// A REFUSED with an errno can stand for READY and LIVE. Afterwards nothing is sent; the end of
// the connection is the end of the other side. HELLO and READY carry the eventfd of their sender
// (SCM_RIGHTS) if its waiter is of that kind.
const (
	msgHello   = 1
	msgReady   = 2
	msgGo      = 3
	msgLive    = 4
	msgRefused = 5
)

const (
	messageMagic = 0x78736731 // "xsg1"
	messageSize  = 48

	// handshakeTime bounds one answer of the other side: control steps, no I/O.
	handshakeTime = 5 * time.Second
)

// message is one packet, little-endian: magic, kind, errno, channel (4 bytes each), source port,
// zero (4 each), serial, source incarnation, destination incarnation (8 each).
type message struct {
	kind, errno, channel, src uint32
	serial, srcInc, dstInc    uint64

	bell *bell // its descriptor goes along with HELLO and READY, if there is one
}

func (m *message) encode() []byte {
	b := make([]byte, 0, messageSize)
	for _, v := range [...]uint32{messageMagic, m.kind, m.errno, m.channel, m.src, 0} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range [...]uint64{m.serial, m.srcInc, m.dstInc} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

var errMessage = errors.New("malformed handshake message")

func decodeMessage(b []byte) (message, error) {
	if len(b) != messageSize || binary.LittleEndian.Uint32(b) != messageMagic {
		return message{}, errMessage
	}
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
	u64 := func(i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }
	return message{
		kind: u32(4), errno: u32(8), channel: u32(12), src: u32(16),
		serial: u64(24), srcInc: u64(32), dstInc: u64(40),
	}, nil
}

func send(conn *net.UnixConn, m message) error {
	if err := conn.SetWriteDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	_, _, err := conn.WriteMsgUnix(m.encode(), rights(m.bell), nil)
	return err
}

// receive waits for a message of the wanted kind; a refusal is an error.
func receive(conn *net.UnixConn, want uint32) (message, error) {
	if err := conn.SetReadDeadline(time.Now().Add(handshakeTime)); err != nil {
		return message{}, err
	}
	var buf [messageSize + 1]byte
	var oob [oobSize]byte
	n, oobn, _, _, err := conn.ReadMsgUnix(buf[:], oob[:])
	if err != nil {
		return message{}, err
	}
	b, err := takeBell(oob[:oobn])
	if err != nil {
		return message{}, err
	}
	m, err := expectMessage(buf[:n], want)
	if err != nil || want != msgHello && want != msgReady {
		b.shut()
		return m, err
	}
	m.bell = b
	return m, nil
}

// oobSize holds more than the one descriptor that a message may carry: what doesn't fit is closed
// by the kernel.
const oobSize = 64

// expectMessage decodes a message and checks its kind.
func expectMessage(b []byte, want uint32) (message, error) {
	m, err := decodeMessage(b)
	switch {
	case err != nil:
		return message{}, err
	case m.kind == msgRefused:
		return message{}, fmt.Errorf("refused: %w", syscall.Errno(m.errno))
	case m.kind != want:
		return message{}, fmt.Errorf("message %d where %d belongs: %w", m.kind, want, errMessage)
	}
	return m, nil
}

// untilHangUp blocks until the other side is gone. Whoever says something breaks the protocol,
// and counts as gone.
func untilHangUp(conn *net.UnixConn) {
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	var b [1]byte
	_, _ = conn.Read(b[:])
}
