package mapfmt

import "math/bits"

// originNameMax: names of foreign maps may be longer than those of volumes.
const originNameMax = 256

// Check says whether the record keeps the rules of the format, and if not, why not.
func (r *Record) Check() error {
	if r.UUID == (UUID{}) {
		return argumentf(kindRecord.what, "no UUID")
	}
	if err := CheckObjectSize(r.ObjectSize); err != nil {
		return err
	}
	if err := CheckVolumeSize(r.Size); err != nil {
		return err
	}
	if want := TableLen(r.Size, r.ObjectSize); len(r.Table) != want {
		return argumentf(kindRecord.what, "table of %d rows, its size needs %d", len(r.Table), want)
	}
	if len(r.Ops) > KeptOps {
		return argumentf(kindRecord.what, "%d operation ids are more than %d", len(r.Ops), KeptOps)
	}
	if err := r.checkMarks(); err != nil {
		return err
	}
	return r.checkOrigins()
}

func (r *Record) checkMarks() error {
	if unknown := r.Flags &^ knownFlags; unknown != 0 {
		return argumentf(kindRecord.what, "unknown flags %#x", uint32(unknown))
	}
	var seen Flags
	for _, m := range r.Marks {
		switch {
		case m.Flag&^markFlags != 0 || bits.OnesCount32(uint32(m.Flag)) != 1:
			return argumentf(kindRecord.what, "mark with flag %#x", uint32(m.Flag))
		case seen&m.Flag != 0:
			return argumentf(kindRecord.what, "two marks with flag %#x", uint32(m.Flag))
		case len(m.Name) > VolumeNameMax:
			return argumentf(kindRecord.what, "mark with a name of %d bytes", len(m.Name))
		case m.Offset < 0:
			return argumentf(kindRecord.what, "mark with offset %d", m.Offset)
		}
		seen |= m.Flag
	}
	if seen != r.Flags&markFlags {
		return argumentf(kindRecord.what, "flags %#x, but marks for %#x", uint32(r.Flags), uint32(seen))
	}
	return nil
}

func (r *Record) checkOrigins() error {
	if len(r.Origins) > maxRefs {
		return argumentf(kindRecord.what, "%d origins are more than %d", len(r.Origins), maxRefs)
	}
	for i, o := range r.Origins {
		if unknown := o.Flags &^ knownOriginFlags; unknown != 0 {
			return argumentf(kindRecord.what, "origin %d has unknown flags %#x", i, uint32(unknown))
		}
		if len(o.Name) > originNameMax {
			return argumentf(kindRecord.what, "origin %d has a name of %d bytes", i, len(o.Name))
		}
	}
	return nil
}
