package xseg

// Abandon makes Run return soon, also if requests that it has received are never answered. After
// Close their submitters look for a successor and push them again, as after the death of a process:
// for a peer that shares its process with others, and so can't end by the end of it. Nobody may
// answer one of those requests any more, and what was passed on for them counts as with a dead peer:
// a successor waits for it. Any goroutine; before Close.
func (l *Loop) Abandon() {
	l.abandoned.Store(true)
	l.stop()
}
