// Command archip-vlmcd: serve the volume composer of a node.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/peers/vlmcd"
)

func main() {
	os.Exit(cli.PeerMain("archip-vlmcd", config.TypeVlmcd, "Serve the volume composer of a node", vlmcd.Run))
}
