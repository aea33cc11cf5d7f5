package filed

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

// Options say where a store is and how it works.
type Options struct {
	Dir          string // of the objects; must exist
	LockDir      string // of the lock chains; must exist; "" or Dir = below Dir
	Owner        string // a file name; tells stores that share a directory apart: node and role
	FDCache      int    // descriptors kept open; 0 = a default
	Workers      int    // threads for what may block; 0 = a default
	WriteThrough bool   // every change is durable when it ends
	Direct       bool   // objects are read and written past the page cache
	Track        string // path of the list of dirty objects, on tmpfs; "" = none is kept
	Log          *slog.Logger
}

const (
	// fdSpare is how many descriptors are left to everything that isn't the cache.
	fdSpare        = 256
	fdCacheDefault = 8192
	workersDefault = 16
	lockDirBelow   = ".locks"
)

// Open opens the store in a directory, removes what a killed predecessor was writing, and returns
// it. ErrDirectory if it isn't there or can't be written to, ErrInUse if another store of that
// owner has it; both name the directory. ErrNoDirect if Direct isn't possible there.
func Open(opts Options) (*Store, error) {
	if opts.Owner == "" {
		opts.Owner = "filed"
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	objects, err := openDisk(opts.Dir)
	if err != nil {
		return nil, err
	}
	locks, err := openLockDisk(objects, opts.LockDir)
	if err != nil {
		unix.Close(objects.root)
		return nil, err
	}
	if opts.Direct {
		err = objects.checkDirect()
	}
	var s *Store
	if err == nil {
		s, err = newStore(opts, objects, locks)
	}
	if err != nil {
		unix.Close(objects.root)
		unix.Close(locks.root)
		return nil, err
	}
	return s, nil
}

func newStore(opts Options, objects, locks *disk) (*Store, error) {
	temps, err := openTemps(objects, opts.Owner)
	if err != nil {
		return nil, err
	}
	lockTemps, err := openTemps(locks, opts.Owner)
	if err != nil {
		temps.close()
		return nil, err
	}
	s := &Store{
		disk:         objects,
		dirs:         newDirectories(objects),
		locks:        newChains(locks, lockTemps),
		temps:        temps,
		spare:        &reserve{name: reserveName, size: blocker.MaxAtomic, disk: objects, temps: temps},
		last:         &reserve{name: lastReserveName, size: blocker.MaxAtomic, disk: objects, temps: temps},
		log:          opts.Log,
		capacity:     fdCapacity(opts.FDCache),
		writethrough: opts.WriteThrough,
		direct:       opts.Direct,
		seed:         maphash.MakeSeed(),
		objects:      map[string]*object{},
		dirty:        map[UUID]map[*object]struct{}{},
		unsynced:     lru{which: byDirty},
		idle:         make(chan struct{}, 1),
	}
	s.last.fill()
	s.spare.fill()
	s.locks.spare.fill()
	if opts.Track != "" {
		var left map[string]*leftover
		var known bool
		if s.track, left, known, err = openTracker(opts.Track, objects); err != nil {
			temps.close()
			lockTemps.close()
			return nil, err
		}
		s.inherit(left, known)
	}
	workers := opts.Workers
	if workers <= 0 {
		workers = workersDefault
	}
	s.pool = newPool((workers+1)/2, s.run)
	return s, nil
}

func (s *Store) closeFiles() {
	for _, r := range []*reserve{s.spare, s.last, s.locks.spare} {
		r.close()
	}
	s.temps.close()
	s.locks.spare.temps.close()
	unix.Close(s.disk.root)
	unix.Close(s.locks.disk.root)
}

// fdCapacity returns how many descriptors the cache may hold.
func fdCapacity(configured int) int {
	n := configured
	if n <= 0 {
		n = fdCacheDefault
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur < uint64(n)+fdSpare {
		n = max(int(limit.Cur)-fdSpare, 8)
	}
	return n
}

// openDisk opens a directory that must be there and writable.
func openDisk(dir string) (*disk, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w: %w", dir, ErrDirectory, err)
	}
	if err := writable(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("directory %s: %w: %w", dir, ErrDirectory, err)
	}
	return &disk{dir: dir, root: fd}, nil
}

// writable tells why a directory can't be written to, with the owner, who is the usual reason.
func writable(fd int) error {
	err := unix.Faccessat(fd, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if err == nil || !errors.Is(err, unix.EACCES) {
		return err
	}
	st, statErr := fstat(fd)
	if statErr != nil {
		return err
	}
	return fmt.Errorf("it belongs to %d:%d with mode %#o, and this process runs as %d:%d: %w",
		st.Uid, st.Gid, st.Mode&0o7777, os.Geteuid(), os.Getegid(), err)
}

func openLockDisk(objects *disk, dir string) (*disk, error) {
	if dir != "" && filepath.Clean(dir) != filepath.Clean(objects.dir) {
		return openDisk(dir)
	}
	if err := objects.mkdir(lockDirBelow); err != nil && err != unix.EEXIST {
		return nil, fmt.Errorf("directory %s: make %s: %w", objects.dir, lockDirBelow, err)
	}
	return openDisk(filepath.Join(objects.dir, lockDirBelow))
}
