package mapperd

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"archipelago/internal/mapfmt"
)

// createMapped makes a file of size bytes that starts with head, backed by memory (a full file
// system is an error here, not a SIGBUS later), and maps it.
func createMapped(path string, size int64, head []byte) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o660)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := allocate(f, size, head); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	mem, err := mapFile(f, size)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return mem, nil
}

func allocate(f *os.File, size int64, head []byte) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		if err == unix.EINTR { // by the runtime's own signals
			continue
		}
		if err != nil {
			return fmt.Errorf("allocate %d bytes: %w", size, err)
		}
		_, err = f.WriteAt(head, 0)
		return err
	}
}

// openMapped maps a whole existing file.
func openMapped(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < mapfmt.PendingHeaderBytes {
		return nil, fmt.Errorf("%d bytes: %w", info.Size(), mapfmt.ErrCorrupt)
	}
	return mapFile(f, info.Size())
}

func mapFile(f *os.File, size int64) ([]byte, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return mem, nil
}

func unmap(mem []byte) error { return unix.Munmap(mem) }

func isNoSpace(err error) bool { return errors.Is(err, unix.ENOSPC) }
