package remote

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// Sizes of the payloads. Part of the layout: do not change.
const (
	EntryBytes     = 200
	InfoBytes      = 208
	NameArgsBytes  = 260
	CloneArgsBytes = 280

	keyOffset    = 8
	levelsOffset = 40
	levelBytes   = 40
	nameBytes    = 256
	ownerOffset  = 96
	ownerBytes   = 64
)

var le = binary.LittleEndian

// PutEntry encodes e into b, which has at least EntryBytes.
func PutEntry(b []byte, e *mapfmt.Entry) {
	b = b[:EntryBytes]
	clear(b)
	b[0], b[1] = byte(e.Bottom), e.NumLevels
	copy(b[keyOffset:], e.Key[:])
	for i := range e.Levels[:e.NumLevels] {
		l, p := &e.Levels[i], b[levelsOffset+i*levelBytes:]
		copy(p, l.UUID[:])
		le.PutUint64(p[16:], l.Epoch)
		le.PutUint64(p[24:], l.Birth)
		le.PutUint64(p[32:], l.Mask)
	}
}

// Entry decodes an entry into e. What the entry doesn't use is zero afterwards, whatever b says.
// mapper.ErrArgument if it isn't one.
func Entry(b []byte, e *mapfmt.Entry) error {
	*e = mapfmt.Entry{}
	if len(b) < EntryBytes {
		return fmt.Errorf("map entry of %d bytes: %w", len(b), mapper.ErrArgument)
	}
	bottom, levels := mapfmt.Bottom(b[0]), b[1]
	if bottom > mapfmt.BottomForeign || int(levels) > len(e.Levels) {
		return fmt.Errorf("map entry of bottom %d with %d levels: %w", bottom, levels, mapper.ErrArgument)
	}
	e.Bottom, e.NumLevels = bottom, levels
	if bottom != mapfmt.BottomZero {
		copy(e.Key[:], b[keyOffset:])
	}
	for i := range e.Levels[:levels] {
		l, p := &e.Levels[i], b[levelsOffset+i*levelBytes:]
		copy(l.UUID[:], p)
		l.Epoch, l.Birth, l.Mask = le.Uint64(p[16:]), le.Uint64(p[24:]), le.Uint64(p[32:])
	}
	return nil
}

// PutInfo encodes i into b, which has at least InfoBytes. The name isn't part of it.
func PutInfo(b []byte, i *mapper.Info) {
	b = b[:InfoBytes]
	clear(b)
	copy(b, i.UUID[:])
	le.PutUint64(b[16:], uint64(i.Size))
	le.PutUint32(b[24:], uint32(i.ObjectSize))
	le.PutUint32(b[28:], i.Flags)
	le.PutUint64(b[32:], i.Epoch)
	le.PutUint64(b[40:], i.Term)
	le.PutUint64(b[48:], i.Generation)
	le.PutUint32(b[56:], i.Port)
	le.PutUint32(b[60:], uint32(i.Chunks))
	le.PutUint64(b[64:], uint64(i.Created))
	le.PutUint64(b[72:], uint64(i.Modified))
	copy(b[80:], i.Origin[:])
	copy(b[ownerOffset:ownerOffset+ownerBytes], i.Owner)
}

// Info decodes what PutInfo made of the volume name. mapper.ErrArgument if it isn't one.
func Info(b []byte, name string) (mapper.Info, error) {
	if len(b) < InfoBytes {
		return mapper.Info{}, fmt.Errorf("volume info of %d bytes: %w", len(b), mapper.ErrArgument)
	}
	i := mapper.Info{
		Name:       name,
		Size:       int64(le.Uint64(b[16:])),
		ObjectSize: int64(le.Uint32(b[24:])),
		Flags:      le.Uint32(b[28:]),
		Epoch:      le.Uint64(b[32:]),
		Term:       le.Uint64(b[40:]),
		Generation: le.Uint64(b[48:]),
		Port:       le.Uint32(b[56:]),
		Chunks:     int(le.Uint32(b[60:])),
		Created:    int64(le.Uint64(b[64:])),
		Modified:   int64(le.Uint64(b[72:])),
	}
	copy(i.UUID[:], b)
	copy(i.Origin[:], b[80:])
	i.Owner = string(bytes.TrimRight(b[ownerOffset:ownerOffset+ownerBytes], "\x00"))
	if i.Size < 0 {
		return mapper.Info{}, fmt.Errorf("volume info with size %d: %w", i.Size, mapper.ErrArgument)
	}
	return i, nil
}

// PutNameArgs encodes a name into b, which has at least NameArgsBytes; name is at most 256 bytes.
func PutNameArgs(b []byte, name string) {
	b = b[:NameArgsBytes]
	clear(b)
	le.PutUint32(b[nameBytes:], uint32(copy(b[:nameBytes], name)))
}

// NameArgs decodes what PutNameArgs made; the name is checked.
func NameArgs(b []byte) (string, error) {
	if len(b) < NameArgsBytes {
		return "", fmt.Errorf("name arguments of %d bytes: %w", len(b), mapper.ErrArgument)
	}
	name, err := argsName(b)
	if err != nil {
		return "", err
	}
	return name, checkName(name)
}

// argsName reads the name at the start of name or clone arguments; it isn't checked.
func argsName(b []byte) (string, error) {
	n := le.Uint32(b[nameBytes:])
	if n > nameBytes {
		return "", fmt.Errorf("name of %d bytes: %w", n, mapper.ErrName)
	}
	return string(b[:n]), nil
}

// CloneArgs are the arguments of CLONE besides the new volume's name.
type CloneArgs struct {
	Origin     string // a snapshot; "" = make a blank volume
	Size       int64  // bytes; 0 = the origin's
	ObjectSize int64  // bytes; 0 = default
}

// PutCloneArgs encodes a into b, which has at least CloneArgsBytes; Origin is at most 256 bytes.
func PutCloneArgs(b []byte, a CloneArgs) {
	b = b[:CloneArgsBytes]
	clear(b)
	le.PutUint32(b[nameBytes:], uint32(copy(b[:nameBytes], a.Origin)))
	le.PutUint64(b[264:], uint64(a.Size))
	le.PutUint64(b[272:], uint64(a.ObjectSize))
}

// ParseCloneArgs decodes what PutCloneArgs made; a name is checked, sizes aren't negative.
func ParseCloneArgs(b []byte) (CloneArgs, error) {
	if len(b) < CloneArgsBytes {
		return CloneArgs{}, fmt.Errorf("clone arguments of %d bytes: %w", len(b), mapper.ErrArgument)
	}
	origin, err := argsName(b)
	if err == nil && origin != "" {
		err = checkName(origin)
	}
	a := CloneArgs{Origin: origin, Size: int64(le.Uint64(b[264:])), ObjectSize: int64(le.Uint64(b[272:]))}
	if err == nil && (a.Size < 0 || a.ObjectSize < 0) {
		err = fmt.Errorf("clone to %d bytes in objects of %d: %w", a.Size, a.ObjectSize, mapper.ErrArgument)
	}
	if err != nil {
		return CloneArgs{}, err
	}
	return a, nil
}
