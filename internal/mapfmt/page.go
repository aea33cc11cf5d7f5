package mapfmt

import "fmt"

// PageChunks is the number of rows of a page, and the longest chunk table that a record holds
// without pages. Part of the format: do not change.
const PageChunks = 4096

// ChunkID says under which name a chunk, or a page, is stored.
type ChunkID struct {
	Owner UUID
	Epoch uint64
	No    int64
}

// At returns the id of chunk or page no of an owner.
func (o Owner) At(no int64) ChunkID { return ChunkID{Owner: o.UUID, Epoch: o.Epoch, No: no} }

// EncodePage returns the bytes of the file of a page: rows id.No*PageChunks onwards of the chunk
// table, PageChunks of them. Its body: owner 16 bytes, epoch u64, number u64, nr_uuids u32,
// nr_rows u32, then UUIDs and rows as in a record.
func EncodePage(id ChunkID, table []Owner) ([]byte, error) {
	if len(table) != PageChunks || id.No < 0 {
		return nil, argumentf(kindPage.what, "number %d with %d rows", id.No, len(table))
	}
	uuids, err := tableDictionary(table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kindPage.what, err)
	}
	b := beginFrame(kindPage, 40+16*len(uuids.list)+rowBytes*len(table))
	b = appendChunkID(b, id)
	b = appendU32(b, uint32(len(uuids.list)))
	b = appendU32(b, uint32(len(table)))
	return endFrame(appendTable(b, uuids, table)), nil
}

// DecodePage reads the file of the page id.
func DecodePage(data []byte, id ChunkID) ([]Owner, error) {
	d, err := openWhole(kindPage, data)
	if err != nil {
		return nil, err
	}
	got := readChunkID(d)
	uuids, rows := d.u32(), d.u32()
	if uuids > maxRefs || rows != PageChunks {
		d.fail("%d UUIDs and %d rows", uuids, rows)
	}
	table := readTable(d, int(uuids), rows)
	if err := d.end(); err != nil {
		return nil, err
	}
	if got != id {
		return nil, corruptf(d.what, "is %s, not %s", PageName(got), PageName(id))
	}
	return table, nil
}

func appendChunkID(b []byte, id ChunkID) []byte {
	b = append(b, id.Owner[:]...)
	b = appendU64(b, id.Epoch)
	return appendU64(b, uint64(id.No))
}

func readChunkID(d *reader) ChunkID {
	id := ChunkID{Owner: d.id(), Epoch: d.u64(), No: int64(d.u64())}
	if id.No < 0 {
		d.fail("number %d", id.No)
	}
	return id
}
