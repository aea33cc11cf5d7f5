package client

import (
	"bufio"
	"fmt"
	"net"

	"archipelago/internal/nbd"
)

// Enter negotiates an export on a new connection, with simple replies and no metadata, up to the
// point where requests may be sent: for who hands the connection to another client, the kernel's.
// It reads nothing beyond the negotiation. It blocks; a deadline is the caller's to set.
func Enter(conn net.Conn, export string) (nbd.Export, error) {
	in := bufio.NewReader(conn)
	info, _, _, err := negotiation{conn, in}.enter(export, true)
	if err == nil && in.Buffered() > 0 {
		err = fmt.Errorf("%w: it sends before it is asked", ErrProtocol)
	}
	return info, err
}
