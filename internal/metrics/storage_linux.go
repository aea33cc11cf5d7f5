package metrics

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
)

var (
	storageSize      = gauge("storage_size_bytes", "Size of the file system that a blocker stores in.", "role", "directory")
	storageAvailable = gauge("storage_available_bytes", "Of it, what is left for the blocker.", "role", "directory")
	storageFiles     = gauge("storage_files", "Files that the file system has room for; missing if it has no limit.", "role", "directory")
	storageFilesLeft = gauge("storage_files_available", "Of them, those that are left.", "role", "directory")
	storageAnswers   = gauge("storage_responds", "Whether the file system answered in time when it was asked for its size.", "role", "directory")
	memoryAvailable  = gauge("shared_memory_available_bytes", "What is left in /dev/shm, where segment and pending logs are.")
)

// storagePatience is how long a file system may take to say how full it is.
const storagePatience = 2 * time.Second

// storage asks the file systems of a node how full they are. One that hangs (NFS without a server)
// holds nobody up: it is asked once, and until it answers it has no size.
type storage struct {
	roles []storedRole
}

type storedRole struct {
	name, dir string

	mu     sync.Mutex
	asking chan struct{} // closed when the answer is there; nil: nobody asks
	stat   unix.Statfs_t
	err    error
}

func newStorage(cfg *config.Config) *storage {
	s := &storage{}
	for i := range cfg.Roles {
		if r := &cfg.Roles[i]; r.Type == config.TypeFile {
			s.roles = append(s.roles, storedRole{name: r.Name, dir: r.ArchipDir})
		}
	}
	return s
}

func (s *storage) collect(out sink) {
	for i := range s.roles {
		r := &s.roles[i]
		st, ok := r.ask()
		out.put(storageAnswers, boolean(ok), r.name, r.dir)
		if !ok {
			continue
		}
		out.put(storageSize, float64(st.Blocks)*float64(st.Bsize), r.name, r.dir)
		out.put(storageAvailable, float64(st.Bavail)*float64(st.Bsize), r.name, r.dir)
		if st.Files > 0 {
			out.put(storageFiles, float64(st.Files), r.name, r.dir)
			out.put(storageFilesLeft, float64(st.Ffree), r.name, r.dir)
		}
	}
	var st unix.Statfs_t
	if unix.Statfs("/dev/shm", &st) == nil {
		out.put(memoryAvailable, float64(st.Bavail)*float64(st.Bsize))
	}
}

// ask returns the state of the role's file system; false if there is none, or it takes too long.
func (r *storedRole) ask() (unix.Statfs_t, bool) {
	r.mu.Lock()
	if r.asking == nil {
		r.asking = make(chan struct{})
		go r.find(r.asking)
	}
	asking := r.asking
	r.mu.Unlock()
	late := time.NewTimer(storagePatience)
	defer late.Stop()
	select {
	case <-asking:
	case <-late.C:
		return unix.Statfs_t{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stat, r.err == nil
}

func (r *storedRole) find(done chan struct{}) {
	var st unix.Statfs_t
	err := unix.Statfs(r.dir, &st)
	r.mu.Lock()
	r.stat, r.err, r.asking = st, err, nil
	r.mu.Unlock()
	close(done)
}
