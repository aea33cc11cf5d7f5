package filed

import (
	"slices"
	"strings"

	"archipelago/peers/blocker"
)

// lister collects names in byte order. dir paths below are physical, names are objects'.
type lister struct {
	disk *disk
	op   *blocker.Op
	used int
	full bool
}

// list fills op.Data with names.
func (s *Store) list(op *blocker.Op) error {
	l := &lister{disk: s.disk, op: op}
	if err := l.walk(".", ""); err != nil {
		return wrap(op.Name, "list", err)
	}
	op.N, op.More = int64(l.used), l.full
	if l.full && l.used == 0 {
		return wrap(op.Name, "list", blocker.ErrArgument) // no name fits: paging would never end
	}
	return nil
}

// item is a file or directory below a directory. Its key is what its names begin with: a directory
// sorts as if the slash belonged to its name, which is the byte order of the names below it.
type item struct {
	key  string
	path string
}

func (i item) isDir() bool { return strings.HasSuffix(i.key, "/") }

// walk lists what lies below dir, whose names begin with base.
func (l *lister) walk(dir, base string) error {
	items, err := l.items(dir, base)
	if err != nil {
		return err
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	for _, i := range items {
		if l.full {
			return nil
		}
		if i.isDir() {
			if err := l.walk(i.path, i.key); err != nil {
				return err
			}
			continue
		}
		l.used, l.full = l.put(i.key)
	}
	return nil
}

func (l *lister) put(name string) (int, bool) {
	n, fits := blocker.PutName(l.op.Data, l.used, name)
	return n, !fits
}

// items returns what may hold wanted names below dir; it looks through shards.
func (l *lister) items(dir, base string) ([]item, error) {
	entries, err := l.disk.readDir(dir)
	if err != nil {
		return nil, err
	}
	var items []item
	for _, e := range entries {
		path := e.Name()
		if dir != "." {
			path = dir + "/" + path
		}
		if e.IsDir() && e.Name()[0] == shardMark {
			more, err := l.items(path, base)
			if err != nil {
				return nil, err
			}
			items = append(items, more...)
			continue
		}
		if i := (item{base + e.Name(), path}); l.wanted(&i, e.IsDir()) {
			items = append(items, i)
		}
	}
	return items, nil
}

// wanted completes an item and tells whether it is or may hold a wanted name. Foreign files (the
// names are none of ours) and lost+found at the root are passed over.
func (l *lister) wanted(i *item, isDir bool) bool {
	if blocker.CheckName(i.key) != nil || i.path == "lost+found" {
		return false
	}
	prefix, after := l.op.Name, l.op.After
	if !isDir {
		return strings.HasPrefix(i.key, prefix) && i.key > after
	}
	i.key += "/"
	if !strings.HasPrefix(i.key, prefix) && !strings.HasPrefix(prefix, i.key) {
		return false
	}
	return i.key > after || strings.HasPrefix(after, i.key)
}
