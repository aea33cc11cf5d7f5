package systemd

import (
	"fmt"
	"strings"
)

// NameMax is how long the name of a unit may be, in bytes.
const NameMax = 255

// Names of the units of a node.
const (
	Target  = "archipelago.target"
	Segment = "archipelago-segment.service"
	Modules = "archipelago-modules.service"
)

// Peer returns the name of the unit that runs a role.
func Peer(role string) string { return "archipelago-peer@" + escape(role) + ".service" }

// Map returns the name of the unit that holds the device of a volume. It may be longer than NameMax.
func Map(volume string) string { return "archipelago-map@" + escape(volume) + ".service" }

// escape writes a name so that it can stand in the name of a unit, as systemd-escape does.
func escape(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		switch {
		case c == '/':
			b.WriteByte('-')
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == ':',
			c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
