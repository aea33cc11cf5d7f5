package memstore

import "bytes"

// inode is an object: its content as every process sees it, and what a power cut could bring back.
type inode struct {
	content // as seen now

	durable content            // as of the last sync
	past    map[int64][][]byte // per block: what it was after each change since the last sync
	sizes   []int64            // size after each change of it since the last sync
	append  bool               // an append is among the changes since the last sync
	bad     bool               // a sync has failed and it wasn't rewritten since
	name    string
	volumes map[UUID]bool // that have changed it since the last sync
}

func newInode(name string) *inode {
	return &inode{name: name}
}

// durableInode returns an object that is durable as it is.
func durableInode(name string, data []byte) *inode {
	n := newInode(name)
	n.write(data, 0)
	n.synced()
	return n
}

// write stores p at off.
func (n *inode) write(p []byte, off int64) {
	defer n.grow(off, int64(len(p)))
	for len(p) > 0 {
		i, in := off/blockSize, int(off%blockSize)
		k := min(len(p), blockSize-in)
		b := make([]byte, blockSize)
		copy(b, n.block(i))
		copy(b[in:], p[:k])
		n.change(i, b)
		p, off = p[k:], off+int64(k)
	}
}

// writeSparse is write that leaves holes where whole blocks are zeros.
func (n *inode) writeSparse(p []byte, off int64) {
	defer n.grow(off, int64(len(p)))
	for len(p) > 0 {
		k := min(len(p), blockSize-int(off%blockSize))
		if piece := p[:k]; bytes.Equal(piece, zeroBlock[:k]) {
			n.zeroes(off, int64(k))
		} else {
			n.write(piece, off)
		}
		p, off = p[k:], off+int64(k)
	}
}

var zeroBlock [blockSize]byte

// zeroes makes length bytes at off zeros, without growing the object.
func (n *inode) zeroes(off, length int64) {
	for end := min(off+length, n.size); off < end; {
		i, in := off/blockSize, int(off%blockSize)
		k := min(int(end-off), blockSize-in)
		if old := n.block(i); old != nil {
			var b []byte
			if k < blockSize && (in > 0 || off+int64(k) < n.size) { // else nothing of it is left
				b = append(b, old...)
				clear(b[in : in+k])
			}
			n.change(i, b)
		}
		off += int64(k)
	}
}

func (n *inode) change(i int64, b []byte) {
	n.setBlock(i, b)
	if n.past == nil {
		n.past = map[int64][][]byte{}
	}
	n.past[i] = append(n.past[i], b)
}

// grow makes the object long enough for length bytes at off. Nothing grows nothing.
func (n *inode) grow(off, length int64) {
	if size := off + length; length > 0 && size > n.size {
		n.size = size
		n.sizes = append(n.sizes, size)
	}
}

// synced makes what is seen now durable.
func (n *inode) synced() {
	n.durable = n.content.clone()
	n.past, n.sizes, n.append, n.volumes = nil, nil, false, nil
}

// clone returns a copy that shares only what never changes.
func (n *inode) clone() *inode {
	c := *n
	c.content, c.durable = n.content.clone(), n.durable.clone()
	c.sizes = append([]int64(nil), n.sizes...)
	c.past = make(map[int64][][]byte, len(n.past))
	for i, list := range n.past {
		c.past[i] = append([][]byte(nil), list...)
	}
	c.volumes = make(map[UUID]bool, len(n.volumes))
	for v := range n.volumes {
		c.volumes[v] = true
	}
	return &c
}
