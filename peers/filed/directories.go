package filed

import (
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// directories makes and syncs the directories of a disk. Syncs of one directory are shared: all
// that wait when one ends get the next one.
type directories struct {
	disk *disk

	mu    sync.Mutex
	ended sync.Cond // a sync of any directory has ended
	dirs  map[string]*directory
}

// directory is one that has changed since it was last synced.
type directory struct {
	changes
	waiting  int
	syncing  bool
	at       mark   // of the sync that runs
	started  uint64 // number of the sync that was started last
	finished uint64
	failed   uint64 // number of the last one that failed
	err      error
}

func newDirectories(d *disk) *directories {
	ds := &directories{disk: d, dirs: map[string]*directory{}}
	ds.ended.L = &ds.mu
	return ds
}

// change runs f, which adds an entry to dir (or removes one durably). The mark precedes it, so that
// whoever sees the entry knows that it may have to be synced.
func (ds *directories) change(dir string, f func() error) error {
	ds.mu.Lock()
	d := ds.dirs[dir]
	if d == nil {
		d = &directory{}
		ds.dirs[dir] = d
	}
	d.begin()
	ds.mu.Unlock()
	defer func() {
		ds.mu.Lock()
		d.end()
		ds.mu.Unlock()
	}()
	return f()
}

// inside runs f, which adds an entry to dir, and makes the directory and those above it if need be.
func (ds *directories) inside(dir string, f func() error) error {
	// Delete removes empty directories: one that was just made may be gone again. Each round means
	// that somebody else got something done, so that the bound is never met in practice.
	const rounds = 100
	var err error
	for range rounds {
		if err = ds.change(dir, f); err != unix.ENOENT {
			return err
		}
		if err = ds.make(dir); err != nil {
			return err
		}
	}
	return err
}

// make makes a directory, and those above it, if need be.
func (ds *directories) make(dir string) error {
	if dir == "." {
		return nil
	}
	err := ds.inside(path.Dir(dir), func() error { return ds.disk.mkdir(dir) })
	if err == unix.EEXIST {
		return nil
	}
	return err
}

// prune removes directories above the file name, from below, as long as they are empty; those of
// the layout itself stay.
func (ds *directories) prune(name string) {
	for dir := parent(name); isPrunable(dir); dir = parent(dir) {
		if !ds.remove(dir) {
			return
		}
	}
}

// remove removes a directory and what is known of it. The lock is held meanwhile: else somebody
// could make the directory again in between, and its mark would be lost.
func (ds *directories) remove(dir string) bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.disk.rmdir(dir) != nil {
		return false
	}
	if d := ds.dirs[dir]; d != nil && d.waiting == 0 && d.running == 0 {
		delete(ds.dirs, dir)
	}
	return true
}

// isPrunable tells directories that belong to one volume: those below a shard.
func isPrunable(dir string) bool {
	return strings.IndexByte(parent(dir), shardMark) >= 0
}

// sync makes the entries durable that lead to the file name, as far as they had changed when it was
// called.
func (ds *directories) sync(name string) error {
	for dir := parent(name); ; dir = parent(dir) {
		if err := ds.syncOne(dir); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

// resync is sync, also of what changed before this process began.
func (ds *directories) resync(name string) error {
	for dir := parent(name); ; dir = parent(dir) {
		_ = ds.change(dir, func() error { return nil })
		if dir == "." {
			return ds.sync(name)
		}
	}
}

// clean tells that no directory that leads to the file name has to be synced.
func (ds *directories) clean(name string) bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for dir := parent(name); ; dir = parent(dir) {
		if d := ds.dirs[dir]; d != nil && d.dirty() {
			return false
		}
		if dir == "." {
			return true
		}
	}
}

func (ds *directories) syncOne(name string) error {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d := ds.dirs[name]
	if d == nil || !d.dirty() {
		return nil
	}
	need := d.started + 1
	if d.syncing && d.coveredBy(d.at) {
		need = d.started
	}
	d.waiting++
	for d.finished < need {
		if d.syncing {
			ds.ended.Wait()
		} else {
			ds.run(name, d)
		}
	}
	d.waiting--
	if d.waiting == 0 && !d.dirty() {
		delete(ds.dirs, name)
	}
	if d.failed >= need {
		return d.err
	}
	return nil
}

// run syncs a directory. The lock is held, but not meanwhile.
func (ds *directories) run(name string, d *directory) {
	d.syncing, d.at = true, d.mark()
	d.started++
	ds.mu.Unlock()
	err := ds.disk.syncDir(name)
	ds.mu.Lock()
	d.syncing, d.finished = false, d.started
	if err != nil {
		d.failed, d.err = d.started, err
	} else {
		d.synced(d.at)
	}
	ds.ended.Broadcast()
}
