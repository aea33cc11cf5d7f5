package filed

// changes tells whether something has changed since it was last made durable. Guarded by the lock
// of what it belongs to.
//
// begin comes before a change and end after it. A sync takes a mark before it starts: it covers all
// changes that had ended by then. Only if none was running then and none has begun since is
// everything durable.
type changes struct {
	begun   uint64
	clean   uint64 // begun, as of the last sync that found nothing running
	running int
}

// mark is the state of changes when a sync started.
type mark struct {
	begun uint64
	quiet bool
}

func (c *changes) begin() {
	c.begun++
	c.running++
}

func (c *changes) end() { c.running-- }

func (c *changes) dirty() bool { return c.begun != c.clean }

func (c *changes) mark() mark { return mark{c.begun, c.running == 0} }

// coveredBy tells whether a sync that started at m makes everything durable that has changed.
func (c *changes) coveredBy(m mark) bool { return m.quiet && m.begun == c.begun }

// synced notes that the sync that started at m has succeeded.
func (c *changes) synced(m mark) {
	if m.quiet {
		c.clean = max(c.clean, m.begun)
	}
}
