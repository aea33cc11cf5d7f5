package node

import (
	"strings"

	daemon "archipelago/peers/peer"
)

// storedName is the name of descriptors that came without one, as with systemd.
const storedName = "stored"

// notifyMessage is what one message of the sd_notify protocol says. Lines that aren't known here
// mean nothing.
type notifyMessage struct {
	ready, stopping, watchdog bool
	store, remove             bool
	name                      string // of descriptors
	badName                   bool
}

func parseNotify(text string) notifyMessage {
	m := notifyMessage{name: storedName}
	for line := range strings.SplitSeq(text, "\n") {
		switch line = strings.TrimSpace(line); line {
		case "READY=1":
			m.ready = true
		case "STOPPING=1":
			m.stopping = true
		case "WATCHDOG=1":
			m.watchdog = true
		case "FDSTORE=1":
			m.store = true
		case "FDSTOREREMOVE=1":
			m.remove = true
		default:
			if name, ok := strings.CutPrefix(line, "FDNAME="); ok {
				m.name = name
				m.badName = daemon.CheckFDName(name) != nil
			}
		}
	}
	return m
}
