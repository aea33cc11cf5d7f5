package xseg

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"archipelago/xseg/internal/abi"
	"archipelago/xseg/internal/shm"
)

// CreateOptions are what Create needs besides the spec.
type CreateOptions struct {
	RuntimeDir string // where the ports' sockets are; at most 79 bytes; made if missing
	Group      int    // owning group of the file; -1 = leave
}

// Create makes a segment; ErrExists if the name is taken (the error names its creator's ports).
// The segment appears complete or not at all.
func Create(spec Spec, opts CreateOptions) error {
	if err := createSegment(spec, opts); err != nil {
		return fmt.Errorf("create segment %s: %w", spec.Name, err)
	}
	return nil
}

func createSegment(spec Spec, opts CreateOptions) error {
	if err := spec.check(); err != nil {
		return err
	}
	dir, err := makeRuntimeDir(opts.RuntimeDir)
	if err != nil {
		return err
	}
	t := tablesFor(spec.Ports, spec.SizeMiB)
	f, err := shm.CreateFile(int64(t.size), int64(t.volumes), fileMode(opts.Group))
	if err != nil {
		return noMemory(err)
	}
	defer f.Close()
	mem, err := f.Map()
	if err != nil {
		return err
	}
	fillHeader(headerOf(mem), &t, spec.Name, dir)
	if err := shm.Unmap(mem); err != nil {
		return err
	}
	if err := f.Publish(spec.Name, opts.Group); err != nil {
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%w%s", ErrExists, whoIsThere(spec.Name))
		}
		return err
	}
	return nil
}

// fileMode lets the group in only if there is one to let in.
func fileMode(group int) uint32 {
	if group >= 0 {
		return 0o660
	}
	return 0o600
}

func makeRuntimeDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if len(dir) > abi.RundirMax {
		return "", fmt.Errorf("runtime directory %s has %d bytes, at most %d fit (socket paths end at 107): %w",
			dir, len(dir), abi.RundirMax, ErrLimit)
	}
	return dir, os.MkdirAll(dir, 0o750)
}

func fillHeader(h *abi.Header, t *tables, name, dir string) {
	h.Magic, h.AbiVersion = abi.Magic, abi.Version
	h.HeaderSize, h.PortSize, h.WaiterSize = headerSize, portSize, waiterSize
	h.ChannelSize, h.ChannelHeaderSize, h.SlotSize = channelSize, chanHdrSize, slotSize
	h.PageShift, h.VolumeSize = abi.PageShift, volumeSize
	h.NrPorts, h.NrWaiters, h.NrChannels, h.NrVolumes = t.nrPorts, t.nrWaiters, t.nrChannels, t.nrVolumes
	h.SegmentSize, h.HeapOffset, h.HeapSize = t.size, t.heap, t.size-t.heap
	h.PortsOffset, h.WaitersOffset, h.ChannelsOffset = t.ports, t.waiters, t.channels
	h.VolumeOwnersOffset, h.VolumesOffset = t.owners, t.volumes
	_, _ = rand.Read(h.Nonce[:]) // never fails
	h.BootId = shm.BootID()
	copy(h.Name[:], name)
	copy(h.RuntimeDir[:], dir)
	h.LeaseDeadline.Store(^uint64(0))
	h.Term.Store(1)
	h.Ready.Store(1)
}

// whoIsThere describes the holder of a name for an error; empty if it can't be told.
func whoIsThere(name string) string {
	s, err := Join(name)
	if err != nil {
		return fmt.Sprintf(" (%v)", err)
	}
	defer s.Leave()
	return describePorts(s.Ports())
}

func describePorts(ports []PortInfo) string {
	var held []string
	for _, p := range ports {
		if p.Alive {
			held = append(held, fmt.Sprintf("%d by pid %d, role %s", p.No, p.PID, p.Role))
		}
	}
	if len(held) == 0 {
		return " (no port is bound)"
	}
	return " (bound ports: " + strings.Join(held, "; ") + ")"
}

// noMemory marks what a full /dev/shm says.
func noMemory(err error) error {
	if errors.Is(err, errNoSpace) {
		return fmt.Errorf("%w: %w (is %s full?)", ErrNoMemory, err, shm.Dir)
	}
	return err
}
