package filed

import (
	"slices"
	"strings"

	"archipelago/peers/blocker"
)

// list fills op.Data with names. The first page of a listing reads the directories on the way to
// its names, whole and sorted; the cursor keeps them for the next page. So a listing reads each
// directory once, however many pages it takes, and none that its prefix rules out.
func (s *Store) list(op *blocker.Op) error {
	c := s.cursors.take(op.Name, op.After)
	if c == nil {
		c = newCursor(op)
	}
	used := 0
	for {
		name, err := c.peek(s.disk)
		if err != nil {
			return wrap(op.Name, "list", err)
		}
		if name == "" {
			break
		}
		n, fits := blocker.PutName(op.Data, used, name)
		if !fits {
			op.More = true
			break
		}
		used, c.after = n, name
		c.advance()
	}
	op.N = int64(used)
	switch {
	case op.More && used == 0:
		return wrap(op.Name, "list", blocker.ErrArgument) // no name fits: paging would never end
	case op.More:
		s.cursors.put(c)
	}
	return nil
}

// cursor is a place in the name space, in byte order of the names.
type cursor struct {
	prefix string
	start  string // names up to this one aren't wanted
	after  string // the last name that was listed
	stack  []level
	stop   func() // its end by time
}

// level is a directory that is being listed. What its items are called begins with base.
type level struct {
	base  string
	items []string // sorted; a directory ends with the slash that begins the names below it
}

func newCursor(op *blocker.Op) *cursor {
	c := &cursor{prefix: strings.Clone(op.Name), start: strings.Clone(op.After)}
	base := c.prefix[:strings.LastIndexByte(c.prefix, '/')+1]
	c.stack = []level{{"", []string{base}}}
	if base != "" && (blocker.CheckName(strings.TrimSuffix(base, "/")) != nil || !c.wanted(base)) {
		c.stack = nil // no object's name begins with that, or all of them come before
	}
	return c
}

// peek returns the name where the cursor is, "" at the end.
func (c *cursor) peek(d *disk) (string, error) {
	for len(c.stack) > 0 {
		top := &c.stack[len(c.stack)-1]
		if len(top.items) == 0 {
			c.stack = c.stack[:len(c.stack)-1]
			continue
		}
		key := top.base + top.items[0]
		if key != "" && !strings.HasSuffix(key, "/") {
			return key, nil
		}
		top.items = top.items[1:] // a directory: what it holds takes its place
		items, err := c.read(d, key)
		if err != nil {
			return "", err
		}
		c.stack = append(c.stack, level{key, items})
	}
	return "", nil
}

func (c *cursor) advance() {
	top := &c.stack[len(c.stack)-1]
	top.items = top.items[1:]
}

// read returns what is wanted of a directory, sorted. A directory sorts as if the slash belonged to
// its name, which is the byte order of the names below it.
func (c *cursor) read(d *disk, base string) ([]string, error) {
	dir := "."
	if base != "" {
		dir = physical(strings.TrimSuffix(base, "/"))
	}
	items, err := c.readFrom(d, nil, dir, base)
	slices.Sort(items)
	return items, err
}

// readFrom adds what is wanted of dir; it looks through shards.
func (c *cursor) readFrom(d *disk, items []string, dir, base string) ([]string, error) {
	entries, err := d.readDir(dir)
	if err != nil {
		return nil, err
	}
	before := "" // what paths of dir begin with
	if dir != "." {
		before = dir + "/"
	}
	items = slices.Grow(items, len(entries))
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() && name[0] == shardMark {
			if items, err = c.readFrom(d, items, before+name, base); err != nil {
				return nil, err
			}
			continue
		}
		// Foreign files (the names are none of ours, or lie where ours don't) are passed over.
		key := base + name
		if blocker.CheckName(key) != nil || !liesIn(before, key) || key == "lost+found" {
			continue
		}
		if e.IsDir() {
			name, key = name+"/", key+"/"
		}
		if c.wanted(key) {
			items = append(items, name)
		}
	}
	return items, nil
}

// liesIn tells whether paths of the object or directory of that name begin with before, and no more
// directories come then.
func liesIn(before, key string) bool {
	path := physical(key)
	return path[:strings.LastIndexByte(path, '/')+1] == before
}

// wanted tells whether an object is wanted, or a directory (with a slash) may hold one that is.
func (c *cursor) wanted(key string) bool {
	if !strings.HasSuffix(key, "/") {
		return strings.HasPrefix(key, c.prefix) && key > c.start
	}
	if !strings.HasPrefix(key, c.prefix) && !strings.HasPrefix(c.prefix, key) {
		return false
	}
	return key > c.start || strings.HasPrefix(c.start, key)
}
