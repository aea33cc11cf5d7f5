package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
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
	// deadTimeout is how long requests wait for a new connection: for ever, as good as.
	deadTimeout = 10 * 365 * 24 * time.Hour
	// sectorBytes is the smallest block; volumes are multiples of it.
	sectorBytes = 512
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

// dial connects to nbdd and negotiates the volume.
func dial(ctx context.Context, cfg *config.Config, name string) (*os.File, nbd.Export, error) {
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

// socket is the attribute that hands a connection over. A device has one: with more the kernel would
// take a live one for dead when an answer is late, and send the request again on another.
func socket(f *os.File) attrs {
	return attrs{}.nested(nbdSocketItem, attrs{}.u32(nbdSocketFD, uint32(f.Fd())))
}

func (nbdDriver) attach(ctx context.Context, cfg *config.Config, m *Mapping, _ *Options) error {
	f, info, err := dial(ctx, cfg, m.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	if m.ReadOnly {
		info.Flags |= nbd.FlagReadOnly
	}
	n, err := dialNetlink(nbdName)
	if err != nil {
		return err
	}
	defer n.close()
	m.Backing = "archipelago/" + cfg.SegmentName + "/" + m.UUID
	index, known := uint32(0), false
	err = n.ask(nbdConnect, connectAttrs(m, &info).nested(nbdSockets, socket(f)), func(r *message) error {
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
func connectAttrs(m *Mapping, info *nbd.Export) attrs {
	return attrs{}.
		u64(nbdSizeBytes, info.Size&^(sectorBytes-1)).
		u64(nbdBlockBytes, sectorBytes).
		u64(nbdTimeout, 0). // a connection that lives is never given up, however late an answer is
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
	// EINVAL: it isn't connected any more. Whoever has it next finds it as it was; that it can't be
	// put back is no reason to say that the volume is still mapped.
	_ = setPeriod(m.Device, defaultPeriod)
	return nil
}

func (nbdDriver) resize(m *Mapping, size int64) error {
	err := tell(m, nbdReconfigure, attrs{}.u64(nbdSizeBytes, uint64(size)&^(sectorBytes-1)))
	if err != nil {
		return fmt.Errorf("resize %s: %w", m.Device, err)
	}
	return nil
}

// reconnect gives the device a new connection in place of a dead one; if that lives the kernel leaves
// it alone.
func reconnect(ctx context.Context, cfg *config.Config, m *Mapping) error {
	f, _, err := dial(ctx, cfg, m.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	return tell(m, nbdReconfigure, attrs{}.nested(nbdSockets, socket(f)))
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
