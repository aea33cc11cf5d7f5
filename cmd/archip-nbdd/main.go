// Command archip-nbdd: serve volumes to NBD clients on a Unix socket.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/peers/nbdd"
)

func main() {
	os.Exit(cli.PeerMain("archip-nbdd", config.TypeNBD, "Serve volumes to NBD clients on a Unix socket", nbdd.Run))
}
