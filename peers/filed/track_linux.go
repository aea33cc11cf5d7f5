package filed

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// openTracker opens the list at path, made if need be. known tells that left (and the header's
// flags) say all that a predecessor has left dirty.
func openTracker(path string, d *disk) (t *tracker, left map[string]*leftover, known bool, err error) {
	id, err := identify(d)
	if err != nil {
		return nil, nil, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o770); err != nil {
		return nil, nil, false, err
	}
	t = &tracker{path: path}
	if err := t.open(); err != nil {
		return nil, nil, false, fmt.Errorf("list of dirty objects %s: %w", path, err)
	}
	t.uncovered = true
	if !isOurs(t.mem, id) {
		t.reset(id)
	} else if left, err = t.load(); err == nil { // what a damaged one does say is kept as well
		t.uncovered = load32(t.mem[trackFlags:])&flagOverflow != 0
	}
	// Also for a successor, if this process is killed before it has covered it.
	t.tellOverflow()
	return t, left, !t.uncovered, nil
}

func (t *tracker) open() (err error) {
	t.fd, err = unix.Open(t.path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, fileMode)
	if err != nil {
		return err
	}
	if err := t.mapFile(); err != nil {
		return errors.Join(err, unix.Close(t.fd))
	}
	return nil
}

// mapFile maps the file in its largest size. Only what was allocated is touched: a full /dev/shm is
// an error of fallocate then, never a SIGBUS.
func (t *tracker) mapFile() error {
	st, err := fstat(t.fd)
	if err != nil {
		return err
	}
	const size = trackMax * trackSlot
	if st.Size != size {
		st.Blocks = 0
		if err := unix.Ftruncate(t.fd, size); err != nil {
			return err
		}
	}
	t.room = max(uint32(st.Blocks*512/trackSlot), trackFirst)
	t.room = min(t.room, trackMax)
	if err := t.allocate(); err != nil {
		return err
	}
	t.mem, err = unix.Mmap(t.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return err
}

// allocate gives all slots up to room memory.
func (t *tracker) allocate() error {
	return again(func() error { return unix.Fallocate(t.fd, 0, 0, int64(t.room)*trackSlot) })
}

// grow doubles the list. False if it has its largest size, or there is no memory.
func (t *tracker) grow() bool {
	if t.room >= trackMax {
		return false
	}
	t.room *= 2
	if t.allocate() != nil {
		t.room /= 2
		return false
	}
	return true
}

// close ends the list. An empty one is removed: there is nothing that a successor had to know.
func (t *tracker) close() {
	if t == nil {
		return
	}
	if t.used == 0 && t.unlisted == 0 {
		_ = os.Remove(t.path)
	}
	t.abandon()
}

// abandon leaves the list as a kill would.
func (t *tracker) abandon() {
	_ = unix.Munmap(t.mem)
	unix.Close(t.fd)
}

func identify(d *disk) (id identity, err error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id, err
	}
	boot, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(boot) != len(id.boot) {
		return id, fmt.Errorf("boot id %q: %w", text, errTrack)
	}
	st, err := fstat(d.root)
	if err != nil {
		return id, err
	}
	copy(id.boot[:], boot)
	id.dev, id.ino = st.Dev, st.Ino
	return id, nil
}
