package mapfmt

import "strconv"

// Prefixes of the name spaces at the map blocker. Part of the format: do not change.
const (
	RecordPrefix    = "v/"
	ChunkPrefix     = "c/"
	LockPrefix      = "l/"
	TombstonePrefix = "t/"
	LeasePrefix     = "n/"
	GroupPrefix     = "g/"
)

// StoreHeaderName is the name of the header of a store.
const StoreHeaderName = "h/store"

// RecordName is the name of the record of a volume or snapshot.
func RecordName(volume string) string { return RecordPrefix + volume }

// ChunkName is the name of a chunk of the map.
func ChunkName(id ChunkID) string {
	return string(strconv.AppendInt(chunkDir(id), id.No, 10))
}

// PageName is the name of a page of a chunk table; id.No is the number of the page.
func PageName(id ChunkID) string {
	return string(strconv.AppendInt(append(chunkDir(id), 't'), id.No, 10))
}

func chunkDir(id ChunkID) []byte {
	b := appendUUID(append(make([]byte, 0, 80), ChunkPrefix...), id.Owner)
	b = strconv.AppendUint(append(b, '/'), id.Epoch, 10)
	return append(b, '/')
}

// ChunkVolumePrefix is what the names of all chunks and pages of a UUID start with.
func ChunkVolumePrefix(u UUID) string { return ChunkPrefix + FormatUUID(u) + "/" }

// LockName is the name of the lock chain of a volume; generations are the store's business.
func LockName(u UUID) string { return LockPrefix + FormatUUID(u) }

// LeaseName is the name of the lease of a node.
func LeaseName(node string) string { return LeasePrefix + node }

// TombstoneName is the name of the tombstone of a volume that was removed in an epoch.
func TombstoneName(u UUID, epoch uint64) string {
	return string(strconv.AppendUint([]byte(TombstoneVolumePrefix(u)), epoch, 10))
}

// TombstoneVolumePrefix is what the names of all tombstones of a UUID start with.
func TombstoneVolumePrefix(u UUID) string { return TombstonePrefix + FormatUUID(u) + "." }

// GroupName is the name of the decision about a group of snapshots. An id is any 16 bytes; they are
// written as those of a UUID.
func GroupName(id OpID) string { return GroupPrefix + FormatUUID(id) }

// ObjectID names an own object at the data blocker.
type ObjectID struct {
	UUID  UUID
	Index int64 // position in the map of the volume
	Epoch uint64
	Birth uint64
}

// ObjectOf is the object behind a level of the entry with that index.
func ObjectOf(index int64, l Level) ObjectID {
	return ObjectID{UUID: l.UUID, Index: index, Epoch: l.Epoch, Birth: l.Birth}
}

// ObjectName is the name of an own object.
func ObjectName(id ObjectID) string {
	return string(AppendObjectName(make([]byte, 0, 112), id))
}

// AppendObjectName is ObjectName without an allocation of its own.
func AppendObjectName(b []byte, id ObjectID) []byte {
	b = append(appendUUID(b, id.UUID), '/')
	b = append(strconv.AppendInt(b, id.Index/ChunkEntries, 10), '/')
	b = append(strconv.AppendInt(b, id.Index, 10), '.')
	b = append(strconv.AppendUint(b, id.Epoch, 10), '.')
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[id.Birth>>shift&15])
	}
	return b
}

// ObjectVolumePrefix is what the names of all own objects of a UUID start with.
func ObjectVolumePrefix(u UUID) string { return FormatUUID(u) + "/" }

// PendingLogName is the name of the file of a volume's pending log.
func PendingLogName(store, volume UUID) string {
	return FormatUUID(store) + "." + FormatUUID(volume)
}

// PendingNameSuffix marks the file beside a pending log that holds the name of its volume, by which
// the record is found. It is a hint: the record's UUID decides.
const PendingNameSuffix = ".name"

func appendUUID(b []byte, u UUID) []byte {
	var s [36]byte
	putUUID(&s, u)
	return append(b, s[:]...)
}
