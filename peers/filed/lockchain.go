package filed

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
)

const (
	headName = "head"
	// keepGenerations is how many generations below the head stay. A new head is written, and old
	// generations are removed, each time that many have come.
	keepGenerations = 8
)

// errMoved means that a chain moved on while it was looked at.
var errMoved = errors.New("lock chain moved on meanwhile")

// chains are lock chains: a directory each, with a file for each generation. A generation is made
// by linking a file that is whole and durable to its name, which has one winner.
//
// Old generations are removed, and whoever was held up for so long that the one it tries to make
// was made and removed meanwhile would succeed as well. So a generation is removed only after a
// head more than keepGenerations above it is durable; a winner reads the head after it has won, and
// if that is so far above, or its predecessor has gone, it has lost. (It may have been the true
// winner, and slow: then the lock was taken from it meanwhile, which is the same to it.)
type chains struct {
	disk  *disk
	dirs  *directories
	spare *reserve
}

func newChains(d *disk, t *temps) *chains {
	return &chains{d, newDirectories(d), &reserve{name: reserveName, size: lockReserve, disk: d, temps: t}}
}

func (c *chains) read(op *blocker.Op) error {
	for {
		g, err := c.highest(chainDir(op.Name))
		if err == nil && g > 0 {
			op.N, err = c.content(generation(op.Name, g), op.Data)
		}
		if err == unix.ENOENT {
			continue // the chain has moved on by so much that this one was removed meanwhile
		}
		if err != nil {
			return wrap(op.Name, "read lock", err)
		}
		op.Generation = g
		return nil
	}
}

func (c *chains) advance(op *blocker.Op) error {
	g, err := c.highest(chainDir(op.Name))
	if err != nil {
		return wrap(op.Name, "read lock", err)
	}
	if g == op.Generation {
		err = c.link(op)
		if err == nil {
			op.Generation++
			c.clean(op.Name, op.Generation)
			return nil
		}
		if sentinel(err) != blocker.ErrExists && err != errMoved {
			return wrap(op.Name, "advance lock", err)
		}
		if g, err = c.highest(chainDir(op.Name)); err != nil {
			return wrap(op.Name, "read lock", err)
		}
	}
	// The highest may be the asker's own, made by a predecessor that was killed before it answered.
	if g > 0 {
		if err := c.dirs.resync(generation(op.Name, g)); err != nil {
			return wrap(op.Name, "sync of its directory", err)
		}
	}
	op.Generation = g
	return wrap(op.Name, "advance lock", blocker.ErrConflict)
}

// link makes the generation after op's.
func (c *chains) link(op *blocker.Op) error {
	path := generation(op.Name, op.Generation+1)
	directories := func() error { return c.dirs.make(parent(path)) }
	temp, fd, spare, err := c.spare.writeTemp(op.Data, directories)
	if err == nil {
		err = c.linkTemp(temp, fd, path)
	}
	if sentinel(err) == blocker.ErrNoSpace && !spare { // for a directory
		if temp, fd, err = c.spare.write(op.Data, directories); err == nil {
			err = c.linkTemp(temp, fd, path)
		}
	}
	c.spare.refill()
	if err != nil {
		return err
	}
	if err := c.dirs.sync(path); err != nil {
		return err
	}
	return c.confirm(op.Name, op.Generation)
}

// linkTemp gives a temporary file its name, and the temporary one up.
func (c *chains) linkTemp(temp string, fd int, path string) error {
	defer c.spare.temps.discard(temp, fd)
	err := c.dirs.inside(parent(path), func() error { return c.disk.link(temp, path) })
	if err != nil && linked(fd) {
		return nil // as in create
	}
	return err
}

// confirm returns errMoved if the generation after g may have been made and removed before.
func (c *chains) confirm(name string, g uint64) error {
	head, err := c.head(chainDir(name))
	if err != nil {
		return err
	}
	there := true
	if g > 0 {
		there, err = c.exists(generation(name, g))
	}
	if err == nil && (head > g+1+keepGenerations || !there) {
		err = errMoved
	}
	return err
}

// clean writes a new head and removes old generations if it is time. Failing to is harmless: the
// next one does it.
func (c *chains) clean(name string, g uint64) {
	if g%keepGenerations != 0 {
		return
	}
	dir := chainDir(name)
	head := dir + "/" + headName
	temp, fd, err := c.spare.temps.write(strconv.AppendUint(nil, g, 10))
	if err != nil {
		return
	}
	unix.Close(fd)
	if c.dirs.change(dir, func() error { return c.disk.rename(temp, head) }) != nil {
		_ = c.disk.unlink(temp)
		return
	}
	// Before anything below is removed: a reader that starts lower must find out.
	if c.dirs.sync(head) != nil {
		return
	}
	// Two rounds' worth, in case that the last one was cut short by a crash.
	for i := uint64(1); i <= 2*keepGenerations && i+keepGenerations < g; i++ {
		_ = c.disk.unlink(generation(name, g-keepGenerations-i))
	}
}

// highest returns the highest generation, 0 if there is none: it probes upwards from the head.
func (c *chains) highest(dir string) (uint64, error) {
	for {
		head, err := c.head(dir)
		if err != nil {
			return 0, err
		}
		g, err := c.probe(dir, head)
		if err != nil {
			return 0, err
		}
		// What was probed may have been removed under us; then there is a new head.
		if now, err := c.head(dir); err != nil || now == head {
			return g, err
		}
	}
}

func (c *chains) probe(dir string, g uint64) (uint64, error) {
	if g > 0 {
		there, err := c.exists(dir + "/" + strconv.FormatUint(g, 10))
		if err != nil {
			return 0, err
		}
		if !there { // a node that was held up for long has put an old head in place of a newer one
			return c.scan(dir, g)
		}
	}
	for {
		there, err := c.exists(dir + "/" + strconv.FormatUint(g+1, 10))
		if err != nil || !there {
			return g, err
		}
		g++
	}
}

// scan returns the highest generation by listing the chain of which there was a head once.
func (c *chains) scan(dir string, head uint64) (g uint64, err error) {
	entries, err := c.disk.readDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			g = max(g, n)
		}
	}
	if g == 0 {
		// Not "never locked": somebody would take a lock that is another's.
		return 0, fmt.Errorf("lock chain %s is damaged: its head names generation %d, and none is there",
			dir, head)
	}
	return g, nil
}

// exists opens and closes, because NFS caches the answers to stat and lookups of what isn't there.
func (c *chains) exists(path string) (bool, error) {
	fd, err := c.disk.open(path, unix.O_RDONLY)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	unix.Close(fd)
	return true, nil
}

// head returns the hint where probing starts; 0 if there is none.
func (c *chains) head(dir string) (uint64, error) {
	var buf [32]byte
	n, err := c.content(dir+"/"+headName, buf[:])
	if err == unix.ENOENT {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	g, err := strconv.ParseUint(string(buf[:n]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("lock head %s: %w", dir, err)
	}
	return g, nil
}

// content reads a whole file into p.
func (c *chains) content(path string, p []byte) (int64, error) {
	fd, err := c.disk.open(path, unix.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	st, err := fstat(fd)
	if err != nil {
		return 0, err
	}
	if st.Size > int64(len(p)) {
		return 0, fmt.Errorf("%d bytes, room for %d: %w", st.Size, len(p), blocker.ErrArgument)
	}
	return st.Size, readFull(fd, p[:st.Size], 0)
}

// chainDir returns the directory of a lock chain.
func chainDir(name string) string { return physical(name) }

func generation(name string, g uint64) string {
	var b strings.Builder
	b.WriteString(chainDir(name))
	b.WriteByte('/')
	b.WriteString(strconv.FormatUint(g, 10))
	return b.String()
}
