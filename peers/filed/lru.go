package filed

// The lists that an object is in.
const (
	byUse   = iota // cached objects, by last use
	byDirty        // dirty ones, by when they became so
	inLists
)

// links are an object's neighbours in a list.
type links struct{ newer, older *object }

// lru is one of the lists of objects; which says which one. A zero value with that is empty.
type lru struct {
	which          int
	newest, oldest *object
	len            int
}

// newer returns o's neighbour on the way from the oldest to the newest, nil for the last.
func (l *lru) newer(o *object) *object { return o.links[l.which].newer }

func (l *lru) add(o *object) {
	o.links[l.which] = links{older: l.newest}
	if l.newest != nil {
		l.newest.links[l.which].newer = o
	} else {
		l.oldest = o
	}
	l.newest = o
	l.len++
}

func (l *lru) remove(o *object) {
	k := o.links[l.which]
	if k.newer != nil {
		k.newer.links[l.which].older = k.older
	} else {
		l.newest = k.older
	}
	if k.older != nil {
		k.older.links[l.which].newer = k.newer
	} else {
		l.oldest = k.newer
	}
	o.links[l.which] = links{}
	l.len--
}

// use makes o the newest.
func (l *lru) use(o *object) {
	if l.newest != o {
		l.remove(o)
		l.add(o)
	}
}
