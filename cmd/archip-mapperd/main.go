// Command archip-mapperd: serve the mapper of a node.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/peers/mapperd"
)

func main() {
	os.Exit(cli.PeerMain("archip-mapperd", config.TypeMapper, "Serve the mapper of a node", mapperd.Run))
}
