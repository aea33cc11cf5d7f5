package nbdd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"archipelago/internal/nbd"
)

// stateVersion is that of the encoding below, of the numbers of phases and of contexts. A server
// takes over connections of its own version alone; those of another one end, as at a kill.
const stateVersion = 1

// stateMagic is "ANBDHAND", read as a little-endian number.
const stateMagic uint64 = 0x444e414844424e41

// session is what a successor must know of a connection.
//
// All sessions of a server lie in one file:
//
//	0 magic u64   8 version u32   12 sessions u32   16 sessions …   end: CRC-32C of all before, u32
//
// A session; strings have a 16-bit length, byte strings a 32-bit one, all numbers are little-endian:
//
//	0 inode of the socket u64   8 phase u8   9 flags u8   10 contexts u8   11 paused u8
//	12 owed u64   20 volume's UUID   36 cookie u64   44 offset u64   52 length u32   56 flags u16
//	58 at u64   66 errno u32   70 export: string   … contexts' export: string   … unread: bytes
//	… unsent: bytes
type session struct {
	inode      uint64 // of the socket: says which descriptor belongs to this
	phase      phase
	noZeroes   bool
	structured bool
	contexts   contextSet
	id         [16]byte // of the volume
	export     string
	metaExport string
	owed       uint64 // bytes of the stream that belong to a request that was answered already
	paused     *pausedWrite
	unread     []byte // what was read of the stream and not worked off
	unsent     []byte // of replies: what the client hasn't taken
}

// pausedWrite is a write whose data has come in part.
type pausedWrite struct {
	nbd.Request
	at    uint64    // what is before this offset was written
	errno nbd.Errno // or failed
}

// phase says how far a connection has come.
type phase uint8

// Phases.
const (
	phaseGreeting     phase = iota // the server has greeted, the client has not
	phaseOptions                   // options are negotiated
	phaseTransmission              // requests are served
)

// Flags of a session.
const (
	sessionNoZeroes   = 1 << 0
	sessionStructured = 1 << 1
)

const (
	stateHead   = 16
	sessionHead = 70
)

var (
	errState        = errors.New("state of NBD connections is damaged")
	errStateVersion = errors.New("state of NBD connections is of another version")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// appendState appends the encoded sessions.
func appendState(b []byte, sessions []session) []byte {
	start := len(b)
	b = le.AppendUint64(b, stateMagic)
	b = le.AppendUint32(b, stateVersion)
	b = le.AppendUint32(b, uint32(len(sessions)))
	for i := range sessions {
		b = sessions[i].append(b)
	}
	return le.AppendUint32(b, checksum(b[start:]))
}

func (s *session) append(b []byte) []byte {
	flags := uint8(0)
	if s.noZeroes {
		flags |= sessionNoZeroes
	}
	if s.structured {
		flags |= sessionStructured
	}
	w, paused := pausedWrite{}, uint8(0)
	if s.paused != nil {
		w, paused = *s.paused, 1
	}
	b = le.AppendUint64(b, s.inode)
	b = append(b, byte(s.phase), flags, byte(s.contexts), paused)
	b = le.AppendUint64(b, s.owed)
	b = append(b, s.id[:]...)
	b = le.AppendUint64(le.AppendUint64(b, w.Cookie), w.Offset)
	b = le.AppendUint16(le.AppendUint32(b, w.Length), w.Flags)
	b = le.AppendUint32(le.AppendUint64(b, w.at), uint32(w.errno))
	b = append(le.AppendUint16(b, uint16(len(s.export))), s.export...)
	b = append(le.AppendUint16(b, uint16(len(s.metaExport))), s.metaExport...)
	b = append(le.AppendUint32(b, uint32(len(s.unread))), s.unread...)
	return append(le.AppendUint32(b, uint32(len(s.unsent))), s.unsent...)
}

// parseState reads what appendState wrote. errStateVersion: another version wrote it.
func parseState(b []byte) ([]session, error) {
	if len(b) < stateHead+4 || le.Uint64(b) != stateMagic {
		return nil, fmt.Errorf("%w: no magic number in %d bytes", errState, len(b))
	}
	if v := le.Uint32(b[8:]); v != stateVersion {
		return nil, fmt.Errorf("%w: %d, this is %d", errStateVersion, v, stateVersion)
	}
	body := b[:len(b)-4]
	if checksum(body) != le.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("%w: wrong checksum", errState)
	}
	n, rest := le.Uint32(b[12:]), body[stateHead:]
	var sessions []session
	for range n {
		var s session
		var err error
		if rest, err = s.parse(rest); err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errState, len(rest))
	}
	return sessions, nil
}

// parse reads one session and returns what follows it. unread and unsent lie in b.
func (s *session) parse(b []byte) (rest []byte, err error) {
	if len(b) < sessionHead {
		return nil, fmt.Errorf("%w: session of %d bytes", errState, len(b))
	}
	s.inode, s.phase, s.contexts = le.Uint64(b), phase(b[8]), contextSet(b[10])
	s.noZeroes, s.structured = b[9]&sessionNoZeroes != 0, b[9]&sessionStructured != 0
	s.owed = le.Uint64(b[12:])
	copy(s.id[:], b[20:])
	if b[11] != 0 {
		s.paused = &pausedWrite{at: le.Uint64(b[58:]), errno: nbd.Errno(le.Uint32(b[66:])), Request: nbd.Request{
			Command: nbd.CmdWrite, Cookie: le.Uint64(b[36:]), Offset: le.Uint64(b[44:]),
			Length: le.Uint32(b[52:]), Flags: le.Uint16(b[56:])}}
	}
	var export, meta []byte
	if export, rest, err = cut(b[sessionHead:], 2); err == nil {
		meta, rest, err = cut(rest, 2)
	}
	if err == nil {
		s.unread, rest, err = cut(rest, 4)
	}
	if err == nil {
		s.unsent, rest, err = cut(rest, 4)
	}
	s.export, s.metaExport = string(export), string(meta)
	if err == nil {
		err = s.check()
	}
	return rest, err
}

// cut takes a byte string with a length of lenBytes off b.
func cut(b []byte, lenBytes int) (s, rest []byte, err error) {
	if len(b) < lenBytes {
		return nil, nil, fmt.Errorf("%w: no length", errState)
	}
	n := uint64(le.Uint16(b))
	if lenBytes == 4 {
		n = uint64(le.Uint32(b))
	}
	if b = b[lenBytes:]; n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%w: string of %d bytes in %d", errState, n, len(b))
	}
	return b[:n], b[n:], nil
}

// check says whether a server can have left such a session.
func (s *session) check() error {
	w := s.paused
	switch {
	case s.phase > phaseTransmission || s.contexts>>len(metaContexts) != 0 || len(s.unread) > MaxIO+inputBytes,
		s.owed > nbd.MaxPayload:
		return fmt.Errorf("%w: phase %d, contexts %#x, %d bytes read, %d owed",
			errState, s.phase, s.contexts, len(s.unread), s.owed)
	case w != nil && (w.Length > nbd.MaxPayload || w.Offset > w.at || w.at-w.Offset >= uint64(w.Length) ||
		s.phase != phaseTransmission || s.owed != 0):
		return fmt.Errorf("%w: write of %d bytes at %d, paused at %d", errState, w.Length, w.Offset, w.at)
	}
	return nil
}
