package filed

// lru is the list of cached objects, by last use. Its zero value is empty.
type lru struct {
	newest, oldest *object
	len            int
}

func (l *lru) add(o *object) {
	o.older, o.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = o
	} else {
		l.oldest = o
	}
	l.newest = o
	l.len++
}

func (l *lru) remove(o *object) {
	if o.newer != nil {
		o.newer.older = o.older
	} else {
		l.newest = o.older
	}
	if o.older != nil {
		o.older.newer = o.newer
	} else {
		l.oldest = o.newer
	}
	o.older, o.newer = nil, nil
	l.len--
}

// use makes o the newest.
func (l *lru) use(o *object) {
	if l.newest != o {
		l.remove(o)
		l.add(o)
	}
}
