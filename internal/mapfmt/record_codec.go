package mapfmt

import "fmt"

// Layout of a record's body; offsets count from the start of the file.
//
//	16  uuid        16 bytes        72  creator     16 bytes
//	32  size        u64             88  nr_ops      u16
//	40  object_size u32             90  nr_marks    u16
//	44  flags       u32             92  nr_origins  u16
//	48  epoch       u64             94  nr_uuids    u16
//	56  created     i64             96  nr_rows     u32
//	64  modified    i64             100 reserved    28 bytes
//	128 ops, marks, origins, uuids, rows: see the functions below
const (
	recordHeader  = 128
	recordPadding = 28
	markHeader    = 32
	originHeader  = 32
	rowBytes      = 10
)

// EncodeRecord returns the bytes of the file of a record.
func EncodeRecord(r *Record) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	uuids, err := tableDictionary(r.Table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kindRecord.what, err)
	}
	b := beginFrame(kindRecord, recordHeader+16*(KeptOps+len(uuids.list))+rowBytes*len(r.Table))
	b = append(b, r.UUID[:]...)
	b = appendU64(b, uint64(r.Size))
	b = appendU32(b, uint32(r.ObjectSize))
	b = appendU32(b, uint32(r.Flags))
	b = appendU64(b, r.Epoch)
	b = appendU64(b, uint64(r.Created))
	b = appendU64(b, uint64(r.Modified))
	b = append(b, r.Creator[:]...)
	b = appendU16(b, uint16(len(r.Ops)))
	b = appendU16(b, uint16(len(r.Marks)))
	b = appendU16(b, uint16(len(r.Origins)))
	b = appendU16(b, uint16(len(uuids.list)))
	b = appendU32(b, uint32(len(r.Table)))
	b = appendZeros(b, recordPadding)
	for _, id := range r.Ops {
		b = append(b, id[:]...)
	}
	for _, m := range r.Marks {
		b = appendMark(b, m)
	}
	for _, o := range r.Origins {
		b = appendOrigin(b, o)
	}
	return endFrame(appendTable(b, uuids, r.Table)), nil
}

// appendMark: flag u32, name_size u16, reserved u16, offset u64, id 16 bytes, name.
func appendMark(b []byte, m Mark) []byte {
	b = appendU32(b, uint32(m.Flag))
	b = appendU16(b, uint16(len(m.Name)))
	b = appendU16(b, 0)
	b = appendU64(b, uint64(m.Offset))
	b = append(b, m.ID[:]...)
	return append(b, m.Name...)
}

// appendOrigin: uuid 16 bytes, epoch u64, flags u32, name_size u16, reserved u16, name.
func appendOrigin(b []byte, o Origin) []byte {
	b = append(b, o.UUID[:]...)
	b = appendU64(b, o.Epoch)
	b = appendU32(b, uint32(o.Flags))
	b = appendU16(b, uint16(len(o.Name)))
	b = appendU16(b, 0)
	return append(b, o.Name...)
}

// DecodeRecord reads the file of a record.
func DecodeRecord(data []byte) (*Record, error) {
	d, err := openWhole(kindRecord, data)
	if err != nil {
		return nil, err
	}
	return readRecord(d)
}

func readRecord(d *reader) (*Record, error) {
	r := &Record{
		UUID: d.id(), Size: int64(d.u64()), ObjectSize: int64(d.u32()), Flags: Flags(d.u32()),
		Epoch: d.u64(), Created: int64(d.u64()), Modified: int64(d.u64()), Creator: d.id(),
	}
	ops, marks, origins := int(d.u16()), int(d.u16()), int(d.u16())
	uuids, rows := int(d.u16()), d.u32()
	d.zeros(recordPadding)
	r.Ops = readItems(d, "operation ids", ops, 16, (*reader).id)
	r.Marks = readItems(d, "marks", marks, markHeader, readMark)
	r.Origins = readItems(d, "origins", origins, originHeader, readOrigin)
	r.Table = readTable(d, uuids, rows)
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, corruptf(d.what, "%v", err)
	}
	return r, nil
}

func readMark(d *reader) Mark {
	m := Mark{Flag: Flags(d.u32())}
	n := int(d.u16())
	d.zeros(2)
	m.Offset, m.ID, m.Name = int64(d.u64()), d.id(), d.str(n)
	return m
}

func readOrigin(d *reader) Origin {
	o := Origin{UUID: d.id(), Epoch: d.u64(), Flags: OriginFlags(d.u32())}
	n := int(d.u16())
	d.zeros(2)
	o.Name = d.str(n)
	return o
}

// readItems reads n items of at least size bytes each; nil for none.
func readItems[T any](d *reader, name string, n, size int, read func(*reader) T) []T {
	if n = d.count(name, n, size); n == 0 {
		return nil
	}
	items := make([]T, n)
	for i := range items {
		items[i] = read(d)
	}
	return items
}
