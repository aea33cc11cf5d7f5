package mapfmt

// tableDictionary collects the UUIDs of a table in the order of their first use.
func tableDictionary(table []Owner) (*dictionary, error) {
	d := &dictionary{}
	for _, o := range table {
		if o.IsNone() {
			continue
		}
		if _, ok := d.intern(o.UUID); !ok {
			return nil, argumentf("table", "more than %d UUIDs", maxRefs)
		}
	}
	return d, nil
}

// appendTable: the UUIDs, then the rows: ref u16 (0 = none, k = UUID number k-1), epoch u64.
func appendTable(b []byte, uuids *dictionary, table []Owner) []byte {
	for _, u := range uuids.list {
		b = append(b, u[:]...)
	}
	for _, o := range table {
		var ref uint16
		if !o.IsNone() {
			ref, _ = uuids.find(o.UUID)
			ref++
		}
		b = appendU64(appendU16(b, ref), o.Epoch)
	}
	return b
}

func readTable(d *reader, uuids int, rows uint32) []Owner {
	list := readItems(d, "UUIDs", uuids, 16, (*reader).id)
	return readItems(d, "rows", int(rows), rowBytes, func(d *reader) Owner {
		ref, epoch := int(d.u16()), d.u64()
		switch {
		case ref > len(list):
			d.fail("row refers to UUID %d of %d", ref, len(list))
		case ref == 0 && epoch != 0:
			d.fail("row without a UUID has epoch %d", epoch)
		case ref > 0:
			return Owner{UUID: list[ref-1], Epoch: epoch}
		}
		return Owner{}
	})
}
