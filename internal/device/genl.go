package device

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
)

// Messages of generic netlink. A message is a header of 16 bytes (length, type, flags, sequence
// number, port), the header of a command of 4 (command, version, two unused), and attributes: each
// a length and a type of 16 bits, and a value, padded to 4 bytes. All numbers are in the order of
// the machine, which is little-endian.
const (
	messageHead = 16
	commandHead = 4
	attrHead    = 4
)

// Types of messages, and of what lies in the flags and types of them.
const (
	typeError   = 2
	typeControl = 0x10 // GENL_ID_CTRL
	flagRequest = 1
	flagAck     = 4
	attrNested  = 0x8000
	attrType    = 0x3fff
)

var le = binary.LittleEndian

// errMessage: what came isn't a message.
var errMessage = errors.New("malformed netlink message")

// attrs are the attributes of a message while it is made.
type attrs []byte

func (a attrs) bytes(typ uint16, b []byte) attrs {
	a = le.AppendUint16(a, uint16(attrHead+len(b)))
	a = le.AppendUint16(a, typ)
	a = append(a, b...)
	return append(a, make([]byte, -len(b)&3)...)
}

func (a attrs) u32(typ uint16, v uint32) attrs { return a.bytes(typ, le.AppendUint32(nil, v)) }
func (a attrs) u64(typ uint16, v uint64) attrs { return a.bytes(typ, le.AppendUint64(nil, v)) }
func (a attrs) text(typ uint16, s string) attrs {
	return a.bytes(typ, append([]byte(s), 0))
}
func (a attrs) nested(typ uint16, in attrs) attrs { return a.bytes(typ|attrNested, in) }

// request makes a message that is to be acknowledged.
func request(family uint16, command uint8, seq uint32, a attrs) []byte {
	b := le.AppendUint32(nil, uint32(messageHead+commandHead+len(a)))
	b = le.AppendUint16(b, family)
	b = le.AppendUint16(b, flagRequest|flagAck)
	b = le.AppendUint32(b, seq)
	b = le.AppendUint32(b, 0)
	b = append(b, command, 1, 0, 0)
	return append(b, a...)
}

// message is one that came.
type message struct {
	typ     uint16
	seq     uint32
	command uint8         // of a family's message
	errno   syscall.Errno // of an acknowledgement; 0 = success
	attrs   map[uint16][]byte
}

// messages splits what one read brought.
func messages(b []byte) ([]message, error) {
	var all []message
	for len(b) > 0 {
		if len(b) < messageHead {
			return nil, fmt.Errorf("%w: %d bytes", errMessage, len(b))
		}
		n := int(le.Uint32(b))
		if n < messageHead || n > len(b) {
			return nil, fmt.Errorf("%w: length %d in %d bytes", errMessage, n, len(b))
		}
		m, err := decode(b[:n])
		if err != nil {
			return nil, err
		}
		all = append(all, m)
		b = b[min((n+3)&^3, len(b)):]
	}
	return all, nil
}

func decode(b []byte) (message, error) {
	m := message{typ: le.Uint16(b[4:]), seq: le.Uint32(b[8:])}
	body := b[messageHead:]
	if m.typ == typeError {
		if len(body) < 4 {
			return m, fmt.Errorf("%w: an error of %d bytes", errMessage, len(body))
		}
		m.errno = syscall.Errno(-int32(le.Uint32(body)))
		return m, nil
	}
	if m.typ < typeControl {
		return m, nil // nothing of a family's
	}
	if len(body) < commandHead {
		return m, fmt.Errorf("%w: a command of %d bytes", errMessage, len(body))
	}
	m.command = body[0]
	var err error
	m.attrs, err = attributes(body[commandHead:])
	return m, err
}

// attributes reads attributes; of several of a type the last one counts.
func attributes(b []byte) (map[uint16][]byte, error) {
	all := map[uint16][]byte{}
	err := eachAttr(b, func(typ uint16, value []byte) error {
		all[typ] = value
		return nil
	})
	return all, err
}

func eachAttr(b []byte, f func(typ uint16, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < attrHead {
			return fmt.Errorf("%w: an attribute of %d bytes", errMessage, len(b))
		}
		n := int(le.Uint16(b))
		if n < attrHead || n > len(b) {
			return fmt.Errorf("%w: an attribute of %d in %d bytes", errMessage, n, len(b))
		}
		if err := f(le.Uint16(b[2:])&attrType, b[attrHead:n]); err != nil {
			return err
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}

// u32 reads a number; 0, false if there is none of that type.
func (m *message) u32(typ uint16) (uint32, bool) {
	if v := m.attrs[typ]; len(v) >= 4 {
		return le.Uint32(v), true
	}
	return 0, false
}
