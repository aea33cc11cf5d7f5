package mapfmt

import "fmt"

// Tombstone is what stays of a removed volume, as `t/<uuid>.<epoch>`, until its objects are gone:
// its whole last record, with the chunk table and the ids of its operations.
type Tombstone struct {
	Name    string // of the volume
	Removed int64  // seconds since 1970 UTC; for people only
	Op      OpID   // of the request that removed it
	Record  *Record
}

// Layout of a tombstone's body; offsets count from the start of the file.
//
//	16 removed     i64             40 name_size   u16
//	24 op          16 bytes        42 reserved    u16
//	                               44 record_size u32
//	48 name, the file of the record
const tombstoneHeader = 48

// HasOp says whether id removed the volume, or is one of those that its record keeps.
func (t *Tombstone) HasOp(id OpID) bool {
	return id != OpID{} && (id == t.Op || t.Record.HasOp(id))
}

// EncodeTombstone returns the bytes of the file of a tombstone.
func EncodeTombstone(t *Tombstone) ([]byte, error) {
	if err := CheckVolumeName(t.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", kindTombstone.what, err)
	}
	record, err := EncodeRecord(t.Record)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kindTombstone.what, err)
	}
	b := beginFrame(kindTombstone, tombstoneHeader+len(t.Name)+len(record))
	b = appendU64(b, uint64(t.Removed))
	b = append(b, t.Op[:]...)
	b = appendU16(b, uint16(len(t.Name)))
	b = appendU16(b, 0)
	b = appendU32(b, uint32(len(record)))
	b = append(b, t.Name...)
	return endFrame(append(b, record...)), nil
}

// DecodeTombstone reads the file of a tombstone.
func DecodeTombstone(data []byte) (*Tombstone, error) {
	d, err := openWhole(kindTombstone, data)
	if err != nil {
		return nil, err
	}
	t := &Tombstone{Removed: int64(d.u64()), Op: d.id()}
	name := int(d.u16())
	d.zeros(2)
	size := d.count("bytes of the record", int(d.u32()), 1)
	t.Name = d.str(name)
	record := d.take(size)
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := CheckVolumeName(t.Name); err != nil {
		return nil, corruptf(d.what, "%v", err)
	}
	if t.Record, err = DecodeRecord(record); err != nil {
		return nil, fmt.Errorf("%s: %w", d.what, err)
	}
	return t, nil
}
