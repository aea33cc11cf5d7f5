package xseg

import (
	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
	"time"
)

// VolumeInfo describes a volume that is served, as its row in the segment says.
type VolumeInfo struct {
	Row         int
	UUID        UUID
	Name        string
	SizeBytes   int64
	Port        PortNo // of the vlmcd thread that serves it
	Alive       bool   // that thread lives; else its successor will go on with the counters
	Depth       uint64 // requests under way
	Successions uint64
	For         time.Duration             // since the counters began
	Ops         [VolumeOps]VolumeCounters // by VolumeOp
}

// VolumeCounters are a snapshot of the counters of one kind of request on a volume.
type VolumeCounters struct {
	Requests, Errors, Bytes uint64
	Latency                 [32]uint64 // [i]: 2^i <= ns/256 < 2^(i+1)
}

// Volumes lists the volumes that have a row. Asks no peer, and takes no lock.
func (s *Segment) Volumes() []VolumeInfo {
	owners := s.rowOwners()
	alive := s.livingIncarnations()
	var list []VolumeInfo
	for id, owner := range owners {
		if owner == 0 { // its page may have no memory: not to be touched
			continue
		}
		v, ok := loadVolume(&s.volumes[id])
		if !ok || s.owners[id].Load() != owner {
			continue // freed or taken over while we looked
		}
		v.Row, v.Alive = id, alive[owner]
		list = append(list, v)
	}
	return list
}

// descriptionTries bounds how often a description is read that changes all the time: a writer that
// died in the middle of it leaves it so.
const descriptionTries = 100

// loadVolume reads a row; false if it describes nothing, or nothing whole.
func loadVolume(row *abi.Volume) (VolumeInfo, bool) {
	for range descriptionTries {
		seq := row.Seq.Load()
		if seq&1 != 0 {
			continue
		}
		v := describeVolume(row)
		if row.Seq.Load() != seq {
			continue
		}
		v.Depth, v.Successions = row.Depth.Load(), row.Successions.Load()
		for i := range v.Ops {
			v.Ops[i] = loadVolumeOp(&row.Ops[i])
		}
		return v, v.UUID != (UUID{})
	}
	return VolumeInfo{}, false
}

func describeVolume(row *abi.Volume) (v VolumeInfo) {
	loadWords(v.UUID[:], row.Uuid[:])
	var text [abi.VolumeNameMax]byte
	loadWords(text[:], row.Name[:])
	v.Name = printable(text[:min(row.NameSize.Load(), abi.VolumeNameMax)])
	v.SizeBytes, v.Port = int64(row.Size.Load()), PortNo(row.Port.Load())
	v.For = time.Duration(shm.Boottime() - row.Since.Load())
	return v
}

// printable makes a string of what another process wrote: it may go to a terminal.
func printable(b []byte) string {
	for i, c := range b {
		if c <= ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func loadVolumeOp(c *abi.VolumeOp) (out VolumeCounters) {
	out = VolumeCounters{Requests: c.Requests.Load(), Errors: c.Errors.Load(), Bytes: c.Bytes.Load()}
	for i := range out.Latency {
		out.Latency[i] = c.Latency[i].Load()
	}
	return out
}
