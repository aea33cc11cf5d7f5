package vlmcd

// Stop brings the engine to rest: what has begun ends, but no operation, piece or map change
// begins any more. What is parked then, and what is submitted from now on, never ends: whoever
// submitted it pushes it again to the successor. rested runs on the engine's thread when nothing
// is under way at the mapper or the blocker; maybe never, if one of them doesn't answer.
func (e *Engine) Stop(rested func()) {
	e.stopping, e.rested = true, rested
	e.run()
}

// rest tells of the end of a stop.
func (e *Engine) rest() {
	if e.rested == nil || e.underWay > 0 {
		return
	}
	rested := e.rested
	e.rested = nil
	rested()
}
