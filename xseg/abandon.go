package xseg

// Abandon makes Run return soon, also if requests that it has received are never answered; then
// Close leaves the ports as the death of a process does: their submitters look for a successor and
// push those requests again, and it waits for what was passed on for them. For a peer that shares its
// process with others, and so can't end by the end of it. Nobody may answer one of those requests any
// more. Any goroutine; before Close.
func (l *Loop) Abandon() {
	l.abandoned.Store(true)
	l.stop()
}
