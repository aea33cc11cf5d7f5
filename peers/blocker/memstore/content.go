package memstore

// blockSize is the unit in which a power cut loses writes, and the largest that stores promise to
// write as one.
const blockSize = 4096

// content is what an object holds: blocks that are never changed once they are in here (so that
// copies of a content share them), nil for zeros; at most size bytes count. Blocks may be fewer
// than size says.
type content struct {
	size   int64
	blocks [][]byte
}

func (c *content) clone() content {
	return content{c.size, append([][]byte(nil), c.blocks...)}
}

func (c *content) block(i int64) []byte {
	if i < int64(len(c.blocks)) {
		return c.blocks[i]
	}
	return nil
}

func (c *content) setBlock(i int64, b []byte) {
	for int64(len(c.blocks)) <= i {
		c.blocks = append(c.blocks, nil)
	}
	c.blocks[i] = b
}

// readAt fills p from off; past the end: zeros.
func (c *content) readAt(p []byte, off int64) {
	for len(p) > 0 {
		in := int(off % blockSize)
		n := min(len(p), blockSize-in)
		if b := c.block(off / blockSize); b != nil {
			copy(p[:n], b[in:])
		} else {
			clear(p[:n])
		}
		p, off = p[n:], off+int64(n)
	}
}

// cut makes the content n bytes long; the bytes beyond n are forgotten.
func (c *content) cut(n int64) {
	if n >= c.size {
		return
	}
	c.size = n
	c.blocks = c.blocks[:min(int64(len(c.blocks)), (n+blockSize-1)/blockSize)]
	if in := n % blockSize; in != 0 {
		c.zero(n/blockSize, int(in), blockSize)
	}
}

// zero makes bytes from..to of block i zeros.
func (c *content) zero(i int64, from, to int) {
	old := c.block(i)
	if old == nil {
		return
	}
	b := append([]byte(nil), old...)
	clear(b[from:to])
	c.blocks[i] = b
}

// allocated returns the bytes that aren't holes.
func (c *content) allocated() (n int64) {
	for _, b := range c.blocks {
		if b != nil {
			n += blockSize
		}
	}
	return n
}
