package mapfmt

import "fmt"

// GroupState is what was decided about a group of snapshots. Part of the format: do not change.
type GroupState uint32

// What was decided about a group.
const (
	GroupReal    GroupState = 1 // all its members are real
	GroupGivenUp GroupState = 2 // none is
)

// Group is the decision about a group of snapshots, stored as `g/<id>`: created exclusively, so
// that there is one, and never changed. A member whose record is PENDING under this id (a mark
// without a name) is what the decision says; while there is none it may not be used.
type Group struct {
	ID      OpID
	Created int64 // seconds since 1970 UTC; for people only
	State   GroupState
	Members []string // names of the snapshots, at the decision; a group given up may not know them
}

// MaxGroup is how many members a group has at most. Part of the format: do not change.
const MaxGroup = 4096

const groupPadding = 16

func (g *Group) check() error {
	if g.ID == (OpID{}) || g.State != GroupReal && g.State != GroupGivenUp || len(g.Members) > MaxGroup {
		return argumentf(kindGroup.what, "id %x, state %d, %d members", g.ID, uint32(g.State), len(g.Members))
	}
	for _, name := range g.Members {
		if err := CheckVolumeName(name); err != nil {
			return fmt.Errorf("%s: %w", kindGroup.what, err)
		}
	}
	return nil
}

// EncodeGroup returns the bytes of the file of a group. Its body: id 16 bytes, created i64, state
// u32, nr_members u32, reserved 16 bytes; per member name_size u16, name.
func EncodeGroup(g *Group) ([]byte, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	b := beginFrame(kindGroup, 48+len(g.Members)*(2+VolumeNameMax))
	b = append(b, g.ID[:]...)
	b = appendU64(b, uint64(g.Created))
	b = appendU32(b, uint32(g.State))
	b = appendU32(b, uint32(len(g.Members)))
	b = appendZeros(b, groupPadding)
	for _, name := range g.Members {
		b = append(appendU16(b, uint16(len(name))), name...)
	}
	return endFrame(b), nil
}

// DecodeGroup reads the file of a group.
func DecodeGroup(data []byte) (*Group, error) {
	d, err := openWhole(kindGroup, data)
	if err != nil {
		return nil, err
	}
	g := &Group{ID: d.id(), Created: int64(d.u64()), State: GroupState(d.u32())}
	members := d.u32()
	d.zeros(groupPadding)
	g.Members = readItems(d, "members", int(members), 2, func(d *reader) string { return d.str(int(d.u16())) })
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := g.check(); err != nil {
		return nil, corruptf(d.what, "%v", err)
	}
	return g, nil
}
