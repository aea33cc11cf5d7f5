package remote

import "archipelago/peers/blocker"

// queue is a FIFO of operations that keeps its room.
type queue struct {
	ops  []*blocker.Op
	head int
}

func (q *queue) len() int { return len(q.ops) - q.head }

// first returns the oldest, or nil.
func (q *queue) first() *blocker.Op {
	if q.len() == 0 {
		return nil
	}
	return q.ops[q.head]
}

func (q *queue) push(op *blocker.Op) {
	if q.head > 0 && len(q.ops) == cap(q.ops) {
		n := copy(q.ops, q.ops[q.head:])
		clear(q.ops[n:])
		q.ops, q.head = q.ops[:n], 0
	}
	q.ops = append(q.ops, op)
}

func (q *queue) pop() {
	q.ops[q.head] = nil
	q.head++
	if q.head == len(q.ops) {
		q.ops, q.head = q.ops[:0], 0
	}
}
