package xseg

// Extent returns the memory of the channel's header, ring and slots, for tests that break them.
func (c *Channel) Extent() []byte {
	off := c.entry.ExtentOffset.Load()
	return c.loop.seg.mem[off:c.base]
}

// Memory returns the whole segment, for tests that break it.
func (s *Segment) Memory() []byte { return s.mem }
