package model

// checkProgress looks for states from which no ordinary steps lead to the end of the work: it
// walks all edges backward from the finished states and reports the first state not reached.
func (x *explorer[S]) checkProgress() {
	into := x.reversed()
	reach := make([]bool, len(x.origins))
	var queue []int32
	for id, done := range x.done {
		if done {
			reach[id] = true
			queue = append(queue, int32(id))
		}
	}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		for _, from := range into(id) {
			if !reach[from] {
				reach[from] = true
				queue = append(queue, from)
			}
		}
	}
	for id, ok := range reach {
		if !ok {
			x.result.Violation = &Violation{What: "the work can't be finished any more", Trace: x.trace(int32(id))}
			return
		}
	}
}

// reversed returns a function that lists the states with an edge into a state. It sorts the edges
// by counting, to keep large graphs in two flat slices.
func (x *explorer[S]) reversed() func(int32) []int32 {
	start := make([]int32, len(x.origins)+1)
	for _, e := range x.edges {
		start[e[1]+1]++
	}
	for i := 1; i < len(start); i++ {
		start[i] += start[i-1]
	}
	from, fill := make([]int32, len(x.edges)), make([]int32, len(x.origins))
	for _, e := range x.edges {
		from[start[e[1]]+fill[e[1]]] = e[0]
		fill[e[1]]++
	}
	return func(id int32) []int32 { return from[start[id]:start[id+1]] }
}
