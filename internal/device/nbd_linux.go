package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	"archipelago/internal/nbd"
	"archipelago/internal/nbd/client"
)

// The kernel's NBD client: names, commands and attributes (linux/nbd-netlink.h).
const (
	nbdName  = "nbd"
	nbdGroup = "nbd_mc_group"

	nbdConnect     = 1
	nbdDisconnect  = 2
	nbdReconfigure = 3
	nbdLinkDead    = 4

	nbdIndex       = 1
	nbdSizeBytes   = 2
	nbdBlockBytes  = 3
	nbdTimeout     = 4
	nbdServerFlags = 5
	nbdSockets     = 7
	nbdDeadTimeout = 8
	nbdBackend     = 10

	nbdSocketItem = 1
	nbdSocketFD   = 1
)

// Tuning.
const (
	// DefaultTimeout leaves a storage that hangs for a while its time: a request that is sent again
	// while nbdd still works on the first one could overtake it.
	DefaultTimeout = 30 * time.Second
	// deadTimeout is how long requests wait for a new connection: for ever, as good as.
	deadTimeout = 10 * 365 * 24 * time.Hour
	// sectorBytes is the smallest block; volumes are multiples of it.
	sectorBytes = 512
	// maxConnections: each has a thread of the kernel that sends.
	maxConnections = 4
	// handshakePatience bounds the negotiation with nbdd, which opens the volume in it.
	handshakePatience = 30 * time.Second
)

// nbdDriver makes devices of the kernel's NBD client.
type nbdDriver struct{}

func (nbdDriver) missing(cfg *config.Config) error {
	if cfg.ByType(config.TypeNBD) == nil {
		return errors.New("the node has no role nbdd")
	}
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	n, err := dialNetlink(nbdName)
	if errors.Is(err, unix.ENOENT) {
		// Its failure shows in the next attempt.
		_ = exec.Command("modprobe", "-q", nbdName).Run()
		n, err = dialNetlink(nbdName)
	}
	if errors.Is(err, unix.ENOENT) {
		return errors.New("the kernel module nbd isn't there")
	}
	if err != nil {
		return err
	}
	return n.close()
}

// connections is how many a device has: what one thread of the kernel can send isn't all.
func connections() int { return min(maxConnections, runtime.NumCPU()) }

// dial connects to nbdd n times and negotiates the volume.
func dial(ctx context.Context, cfg *config.Config, name string, n int) (files []*os.File, info nbd.Export, err error) {
	for range n {
		var f *os.File
		if f, info, err = dialOnce(ctx, cfg, name); err != nil {
			closeAll(files)
			return nil, info, err
		}
		files = append(files, f)
	}
	return files, info, nil
}

func dialOnce(ctx context.Context, cfg *config.Config, name string) (*os.File, nbd.Export, error) {
	socket := cfg.ByType(config.TypeNBD).Socket
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nbd.Export{}, fmt.Errorf("nbdd: %w", err)
	}
	defer conn.Close() // the copy below stays
	if err := conn.SetDeadline(time.Now().Add(handshakePatience)); err != nil {
		return nil, nbd.Export{}, err
	}
	info, err := client.Enter(conn, name)
	if err != nil {
		return nil, info, fmt.Errorf("nbdd: export %s: %w", name, err)
	}
	f, err := conn.(*net.UnixConn).File()
	return f, info, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // the kernel has what it needs
	}
}

// sockets is the attribute that hands connections over.
func sockets(files []*os.File) attrs {
	var items attrs
	for _, f := range files {
		items = items.nested(nbdSocketItem, attrs{}.u32(nbdSocketFD, uint32(f.Fd())))
	}
	return items
}

func (nbdDriver) attach(ctx context.Context, cfg *config.Config, m *Mapping, opts *Options) error {
	files, info, err := dial(ctx, cfg, m.Name, connections())
	if err != nil {
		return err
	}
	defer closeAll(files)
	if m.ReadOnly {
		info.Flags |= nbd.FlagReadOnly
	}
	timeout := opts.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	n, err := dialNetlink(nbdName)
	if err != nil {
		return err
	}
	defer n.close()
	m.Backing = "archipelago/" + cfg.SegmentName + "/" + m.UUID
	index, known := uint32(0), false
	err = n.ask(nbdConnect, connectAttrs(m, &info, timeout).nested(nbdSockets, sockets(files)), func(r *message) error {
		index, known = r.u32(nbdIndex)
		return nil
	})
	if err == nil && !known {
		err = errMessage
	}
	if err != nil {
		return fmt.Errorf("connect a device: %w", err)
	}
	m.Index, m.Device = int(index), fmt.Sprintf("/dev/nbd%d", index)
	return nil
}

// connectAttrs describe a new device; its number is the kernel's to choose.
func connectAttrs(m *Mapping, info *nbd.Export, timeout time.Duration) attrs {
	return attrs{}.
		u64(nbdSizeBytes, info.Size&^(sectorBytes-1)).
		u64(nbdBlockBytes, sectorBytes).
		u64(nbdTimeout, uint64(max(timeout, time.Second)/time.Second)).
		u64(nbdDeadTimeout, uint64(deadTimeout/time.Second)).
		u64(nbdServerFlags, uint64(info.Flags)).
		text(nbdBackend, m.Backing)
}

// tell sends a command about the device of m.
func tell(m *Mapping, command uint8, a attrs) error {
	n, err := dialNetlink(nbdName)
	if err != nil {
		return err
	}
	defer n.close()
	return n.ask(command, append(attrs{}.u32(nbdIndex, uint32(m.Index)).text(nbdBackend, m.Backing), a...), nil)
}

func (nbdDriver) detach(m *Mapping) error {
	if err := tell(m, nbdDisconnect, nil); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("disconnect %s: %w", m.Device, err)
	}
	return nil // EINVAL: it isn't connected any more
}

func (nbdDriver) resize(m *Mapping, size int64) error {
	err := tell(m, nbdReconfigure, attrs{}.u64(nbdSizeBytes, uint64(size)&^(sectorBytes-1)))
	if err != nil {
		return fmt.Errorf("resize %s: %w", m.Device, err)
	}
	return nil
}

// reconnect gives the device new connections in place of dead ones; those that it doesn't need the
// kernel leaves alone.
func reconnect(ctx context.Context, cfg *config.Config, m *Mapping) error {
	files, _, err := dial(ctx, cfg, m.Name, connections())
	if err != nil {
		return err
	}
	defer closeAll(files)
	return tell(m, nbdReconfigure, attrs{}.nested(nbdSockets, sockets(files)))
}

// alive: kernels from 5.14 on say what a device is connected to, older ones only that it is.
func (nbdDriver) alive(m *Mapping) bool {
	if backend := attribute(m.Device, "backend"); backend != "" {
		return backend == m.Backing
	}
	return attribute(m.Device, "pid") != ""
}

// broken: its users wait, whatever happens.
func (nbdDriver) broken(*Mapping) bool { return false }
