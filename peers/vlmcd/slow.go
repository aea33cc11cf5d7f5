package vlmcd

import (
	"log/slog"
	"time"
)

const (
	// slowAfter is when a request counts as slow. It is looked for as often: a request is told of
	// when it has waited for one to two seconds, while it waits, and again when it has ended.
	slowAfter = time.Second
)

// slowLog tells of requests that take long, and what they wait for. It costs two pointers per
// request, and a look each second while there are any. On the loop only.
type slowLog struct {
	log        *slog.Logger
	after      func(time.Duration, func())
	head, tail *job // under way, oldest first
	armed      bool
}

func (l *slowLog) add(j *job) {
	j.next, j.prev = nil, l.tail
	if l.tail == nil {
		l.head = j
	} else {
		l.tail.next = j
	}
	l.tail = j
	if !l.armed && l.after != nil {
		l.armed = true
		l.after(slowAfter, l.look)
	}
}

func (l *slowLog) remove(j *job) {
	if j.prev == nil {
		l.head = j.next
	} else {
		j.prev.next = j.next
	}
	if j.next == nil {
		l.tail = j.prev
	} else {
		j.next.prev = j.prev
	}
	if j.told {
		l.tell(j, "slow request has ended", monotonic(), "error", j.Err)
	}
}

// look tells of each slow request once. A flatten is work, not a wait.
func (l *slowLog) look() {
	l.armed = false
	now := monotonic()
	for j := l.head; j != nil && now-j.Received >= int64(slowAfter); j = j.next {
		if !j.told && j.Kind != Flatten && j.Received > 0 {
			j.told = true
			l.tell(j, "request is slow", now, "waits_for", j.waits)
		}
	}
	if l.head != nil {
		l.armed = true
		l.after(slowAfter, l.look)
	}
}

func (l *slowLog) tell(j *job, what string, now int64, attrs ...any) {
	l.log.Warn(what, append([]any{"volume", string(j.Name), "op", kindNames[j.Kind], "offset", j.Offset,
		"length", j.Length, "after", time.Duration(now - j.Received).Round(time.Millisecond)}, attrs...)...)
}

var kindNames = [...]string{Read: "read", Write: "write", WriteZeroes: "write-zeroes", Discard: "discard",
	Flush: "flush", Open: "open", Close: "close", Snapshot: "snapshot", Delete: "delete", Info: "info",
	Rename: "rename", Rollback: "rollback", Resize: "resize", Freeze: "freeze", Thaw: "thaw",
	Flatten: "flatten", Acquire: "acquire", Release: "release"}
