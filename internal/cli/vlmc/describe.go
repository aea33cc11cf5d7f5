package vlmc

import (
	"fmt"
	"time"

	"archipelago/internal/cli"
	"archipelago/internal/mapfmt"
	"archipelago/peers/mapper"
)

// description is what --json prints of a volume. The names of the fields are documented.
type description struct {
	Name       string `json:"name"`
	UUID       string `json:"uuid"`
	Kind       string `json:"kind"` // "volume" or "snapshot"
	Size       int64  `json:"size"` // bytes
	ObjectSize int64  `json:"object_size"`
	Epoch      uint64 `json:"epoch"`
	Generation uint64 `json:"lock_generation"`      // 0 = never locked
	Owner      string `json:"lock_owner,omitempty"` // node that holds the lock
	Open       bool   `json:"open"`                 // this node holds the lock
	Chunks     int    `json:"chunks"`
	Created    string `json:"created"` // RFC 3339, UTC
	Modified   string `json:"modified"`
	Origin     string `json:"origin,omitempty"` // UUID
}

func describe(i mapper.Info) description {
	d := description{
		Name: i.Name, UUID: mapfmt.FormatUUID(i.UUID), Kind: "volume",
		Size: i.Size, ObjectSize: i.ObjectSize,
		Epoch: i.Epoch, Generation: i.Generation, Owner: i.Owner, Open: isOpen(i), Chunks: i.Chunks,
		Created: date(i.Created), Modified: date(i.Modified),
	}
	if i.Flags&uint32(mapfmt.FlagReadOnly) != 0 {
		d.Kind = "snapshot"
	}
	if i.Origin != (mapfmt.UUID{}) {
		d.Origin = mapfmt.FormatUUID(i.Origin)
	}
	return d
}

// isOpen says that this node holds the lock.
func isOpen(i mapper.Info) bool { return i.Flags&mapper.FlagOpen != 0 }

func date(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// lock says who holds it.
func (d *description) lock() string {
	switch {
	case d.Owner == "":
		return fmt.Sprintf("free, generation %d", d.Generation)
	case d.Open:
		return fmt.Sprintf("this node, %s, generation %d", d.Owner, d.Generation)
	}
	return fmt.Sprintf("node %s, generation %d", d.Owner, d.Generation)
}

// details prints what the documented line of `info` leaves out.
func (d *description) details(p *cli.Printer) {
	p.Linef("  kind:        %s", d.Kind)
	p.Linef("  uuid:        %s", d.UUID)
	p.Linef("  size:        %s", cli.FormatSize(d.Size))
	p.Linef("  object size: %s", cli.FormatSize(d.ObjectSize))
	p.Linef("  chunks:      %d", d.Chunks)
	p.Linef("  epoch:       %d", d.Epoch)
	p.Linef("  lock:        %s", d.lock())
	p.Linef("  created:     %s", d.Created)
	p.Linef("  modified:    %s", d.Modified)
	if d.Origin != "" {
		p.Linef("  origin:      %s", d.Origin)
	}
}
