package xseg

import (
	"fmt"
	"log/slog"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
	"archipelago/xseg/internal/step"
)

// Rows of volumes are claimed without the control lock: opening a volume must not wait for whoever
// holds it. The word of a row in the owner table decides.

// ClaimVolume takes a row for a volume that the port serves. ErrLimit if all are taken, ErrNoMemory
// if there is no memory for one. On the loop; doesn't block.
func (p *Port) ClaimVolume(uuid UUID, name string, size int64) (*VolumeRow, error) {
	s := p.loop.seg
	for id := range s.owners {
		if s.owners[id].Load() != 0 || !s.owners[id].CompareAndSwap(0, p.incarnation) {
			continue
		}
		step.At(step.VolumeOwned)
		r, err := p.newRow(id, uuid)
		if err != nil {
			return nil, err
		}
		r.Describe(name, size)
		return r, nil
	}
	return nil, fmt.Errorf("all %d rows of volumes are taken: %w", len(s.owners), ErrLimit)
}

// MissVolume counts, in the segment, a volume that is served without a row.
func (p *Port) MissVolume() { p.loop.seg.hdr.VolumesMissed.Add(1) }

// newRow prepares a row that is ours and that nobody knows yet.
func (p *Port) newRow(id int, uuid UUID) (*VolumeRow, error) {
	s := p.loop.seg
	if err := s.file.Back(s.rowOffset(id), volumeSize); err != nil {
		s.owners[id].Store(0)
		return nil, fmt.Errorf("row of a volume: %w", noMemory(err))
	}
	clearRow(&s.volumes[id])
	s.volumes[id].Since.Store(shm.Boottime())
	return p.rowOf(id, uuid), nil
}

func (p *Port) rowOf(id int, uuid UUID) *VolumeRow {
	s := p.loop.seg
	return &VolumeRow{port: p, id: id, uuid: uuid, row: &s.volumes[id], used: p.loop.now}
}

func (s *Segment) rowOffset(id int) int64 { return int64(s.t.volumes) + int64(id)*volumeSize }

// clearRow is for what a killed process has left: a page that was given back is empty already.
func clearRow(v *abi.Volume) {
	storeWords(v.Uuid[:], make([]byte, 16))
	v.Seq.Store(0)
	v.Depth.Store(0)
	v.Successions.Store(0)
	for i := range v.Ops {
		c := &v.Ops[i]
		c.Requests.Store(0)
		c.Errors.Store(0)
		c.Bytes.Store(0)
		for b := range c.Latency {
			c.Latency[b].Store(0)
		}
	}
}

// Release gives the row back, and its memory: the volume isn't served any more. The row counts
// nothing from then on.
func (r *VolumeRow) Release() {
	if r == nil || r.row == nil {
		return
	}
	r.row = nil
	r.port.loop.seg.freeRow(r.id)
}

// freeRow frees a row that is ours. The owner goes last: killed before, the successor does it again.
func (s *Segment) freeRow(id int) {
	storeWords(s.volumes[id].Uuid[:], make([]byte, 16))
	if err := s.file.Punch(s.rowOffset(id), volumeSize); err != nil {
		slog.Error("give memory of a volume's row back", "segment", s.name, "row", id, "error", err)
	}
	step.At(step.VolumePunched)
	s.owners[id].Store(0)
}

// InheritVolumes takes the rows of dead servers over whose volumes serves accepts, so that their
// counters go on; rows that say nothing are freed. On the loop, or before it runs. Of two ports that
// accept the same volume one gets its row.
func (p *Port) InheritVolumes(serves func(UUID) bool) []*VolumeRow {
	s := p.loop.seg
	var rows []*VolumeRow
	// Owners first, then who lives: whoever came between them is in neither.
	owners := s.rowOwners()
	alive := s.livingIncarnations()
	for id, owner := range owners {
		if owner == 0 || alive[owner] {
			continue
		}
		if r := p.inheritRow(id, owner, serves); r != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

func (p *Port) inheritRow(id int, owner uint64, serves func(UUID) bool) *VolumeRow {
	s := p.loop.seg
	var uuid UUID
	loadWords(uuid[:], s.volumes[id].Uuid[:])
	named := uuid != (UUID{})
	if named && !serves(uuid) || !s.owners[id].CompareAndSwap(owner, p.incarnation) {
		return nil
	}
	v := &s.volumes[id]
	if v.Seq.Load()&1 != 0 || !named { // killed while it was described, or freed
		s.freeRow(id)
		return nil
	}
	v.Depth.Store(0)
	v.Successions.Add(1)
	v.Port.Store(uint32(p.no))
	return p.rowOf(id, uuid)
}

func (s *Segment) rowOwners() []uint64 {
	owners := make([]uint64, len(s.owners))
	for id := range owners {
		owners[id] = s.owners[id].Load()
	}
	return owners
}

// livingIncarnations returns those of all ports that are held.
func (s *Segment) livingIncarnations() map[uint64]bool {
	alive := map[uint64]bool{}
	for no := range s.ports {
		inc := s.ports[no].Incarnation.Load()
		if s.portAlive(uint32(no), inc) {
			alive[inc] = true
		}
	}
	return alive
}
