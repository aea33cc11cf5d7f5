package mapfmt

import (
	"math"
	"strconv"
	"strings"
)

// ParseRecordName returns the volume's name.
func ParseRecordName(name string) (string, error) {
	volume, ok := strings.CutPrefix(name, RecordPrefix)
	if !ok {
		return "", namef("%q is not that of a record", name)
	}
	return volume, CheckVolumeName(volume)
}

// ParseChunkName reads the name of a chunk, or of a page of a chunk table.
func ParseChunkName(name string) (id ChunkID, page bool, err error) {
	rest, ok := strings.CutPrefix(name, ChunkPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return ChunkID{}, false, namef("%q is not that of a chunk", name)
	}
	no, page := strings.CutPrefix(parts[2], "t")
	p := nameParser{name: name}
	id = ChunkID{Owner: p.uuid(parts[0]), Epoch: p.number(parts[1]), No: p.index(no)}
	return id, page, p.err
}

// ParseLockName returns the UUID of the volume that the lock chain belongs to.
func ParseLockName(name string) (UUID, error) {
	rest, ok := strings.CutPrefix(name, LockPrefix)
	if !ok {
		return UUID{}, namef("%q is not that of a lock", name)
	}
	p := nameParser{name: name}
	u := p.uuid(rest)
	return u, p.err
}

// ParseGroupName returns the id of the group.
func ParseGroupName(name string) (OpID, error) {
	rest, ok := strings.CutPrefix(name, GroupPrefix)
	if !ok {
		return OpID{}, namef("%q is not that of a group", name)
	}
	p := nameParser{name: name}
	id := p.uuid(rest)
	return id, p.err
}

// ParseLeaseName returns the name of the node.
func ParseLeaseName(name string) (string, error) {
	node, ok := strings.CutPrefix(name, LeasePrefix)
	if !ok {
		return "", namef("%q is not that of a lease", name)
	}
	return node, CheckNodeName(node)
}

// ParseTombstoneName returns the UUID and epoch of the removed volume.
func ParseTombstoneName(name string) (UUID, uint64, error) {
	rest, ok := strings.CutPrefix(name, TombstonePrefix)
	u, epoch, dot := strings.Cut(rest, ".")
	if !ok || !dot {
		return UUID{}, 0, namef("%q is not that of a tombstone", name)
	}
	p := nameParser{name: name}
	id, n := p.uuid(u), p.number(epoch)
	return id, n, p.err
}

// ParseObjectName reads the name of an own object; any other name is ErrName.
func ParseObjectName(name string) (ObjectID, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return ObjectID{}, namef("%q is not that of an own object", name)
	}
	last := strings.Split(parts[2], ".")
	if len(last) != 3 {
		return ObjectID{}, namef("%q is not that of an own object", name)
	}
	p := nameParser{name: name}
	id := ObjectID{
		UUID: p.uuid(parts[0]), Index: p.index(last[0]),
		Epoch: p.number(last[1]), Birth: p.birth(last[2]),
	}
	if chunk := p.index(parts[1]); p.err == nil && chunk != id.Index/ChunkEntries {
		return ObjectID{}, namef("%q: index %d does not lie in chunk %d", name, id.Index, chunk)
	}
	return id, p.err
}

// ParsePendingLogName returns the store and the volume that a pending log belongs to.
func ParsePendingLogName(name string) (store, volume UUID, err error) {
	s, v, _ := strings.Cut(name, ".")
	p := nameParser{name: name}
	store, volume = p.uuid(s), p.uuid(v)
	return store, volume, p.err
}

// nameParser reads the parts of a name and keeps the first error. Only canonical numbers count,
// so that no object has two names.
type nameParser struct {
	name string
	err  error
}

func (p *nameParser) uuid(s string) UUID {
	u, err := ParseUUID(s)
	if err != nil && p.err == nil {
		p.err = err
	}
	return u
}

func (p *nameParser) number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if (err != nil || strconv.FormatUint(n, 10) != s) && p.err == nil {
		p.err = namef("%q: %q is not a decimal number", p.name, s)
	}
	return n
}

func (p *nameParser) index(s string) int64 {
	n := p.number(s)
	if n > math.MaxInt64 && p.err == nil {
		p.err = namef("%q: %s is too large", p.name, s)
	}
	return int64(n)
}

func (p *nameParser) birth(s string) uint64 {
	var n uint64
	bad := len(s) != 16
	for i := 0; i < len(s); i++ {
		d, ok := hexDigit(s[i])
		bad = bad || !ok
		n = n<<4 | uint64(d)
	}
	if bad && p.err == nil {
		p.err = namef("%q: %q is not 16 hexadecimal digits", p.name, s)
	}
	return n
}
