package vlmcd

import volumes "archipelago/internal/volume"

// piece is the part of an operation that lies in one object. It is in one list at most: waiting for
// a page, a reload, a lock, a reservation, a commit, its turn, or parked.
type piece struct {
	next *piece
	op   *Op
	vol  *volume
	obj  *object // while it rests on one

	index int64  // of the object
	off   int64  // in the object
	n     int64  // bytes
	all   bool   // it covers all of the object that lies in the volume
	data  []byte // Read, Write

	wants  uint64 // sub-blocks that it waits for
	locked uint64 // sub-blocks that it holds
	birth  uint64 // of the own object that it was filled into
	lost   string // object that the blocker didn't have
	doubt  bool   // the entry may be older than that
	calls  int    // calls of the blocker under way
	tries  int    // times that it was begun again
	err    error

	writing bool // in place: counts in object.writers
	idle    bool // waits until nobody writes in place
	phase   volumes.Phase
}

type pieceList struct{ head, tail *piece }

func (l *pieceList) push(p *piece) {
	p.next = nil
	if l.tail == nil {
		l.head = p
	} else {
		l.tail.next = p
	}
	l.tail = p
}

func (l *pieceList) pop() *piece {
	p := l.head
	if p != nil {
		if l.head = p.next; l.head == nil {
			l.tail = nil
		}
		p.next = nil
	}
	return p
}

func (l *pieceList) empty() bool { return l.head == nil }

func (l *pieceList) take() pieceList {
	all := *l
	*l = pieceList{}
	return all
}

// newPiece makes the piece of op that starts at op.cursor and moves the cursor.
func (e *Engine) newPiece(op *Op) *piece {
	p := e.freePieces
	if p == nil {
		p = &piece{}
	} else {
		e.freePieces = p.next
	}
	v := op.vol
	p.op, p.vol, p.next = op, v, nil
	p.index = op.cursor >> v.objectShift
	p.off = op.cursor & (v.objectSize - 1)
	p.n = min(op.end-op.cursor, v.objectSize-p.off)
	p.all = p.off == 0 && p.n == min(v.objectSize, v.info.Size-op.cursor)
	if op.Kind == Read || op.Kind == Write {
		from := op.cursor - op.Offset
		p.data = op.Data[from : from+p.n]
	}
	op.cursor += p.n
	op.live++
	v.running++
	return p
}

// endPiece takes p out of the drain and gives it back; the operation goes on or ends.
func (e *Engine) endPiece(p *piece, err error) {
	p.enter(phaseEngine)
	e.unlock(p)
	op, v := p.op, p.vol
	if err != nil && op.Err == nil {
		op.Err = err
	}
	*p = piece{next: e.freePieces}
	e.freePieces = p
	op.live--
	v.running--
	e.advance(op)
	e.drained(v)
}

// parkPiece takes p out of the drain, without locks, until the volume is tried again.
func (e *Engine) parkPiece(p *piece) {
	if p.op.incomplete {
		e.endPiece(p, nil) // a volume isn't kept open, or opened again, for that
		return
	}
	p.enter(phaseWait)
	e.unlock(p)
	p.obj, p.calls, p.err = nil, 0, nil
	v := p.vol
	v.running--
	v.parkedPieces.push(p)
	v.parked++
}

// wake gives every piece of a list its turn.
func (e *Engine) wake(l pieceList) {
	for p := l.pop(); p != nil; p = l.pop() {
		e.runnable.push(p)
	}
}
