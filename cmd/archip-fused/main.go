// Command archip-fused: show volumes and snapshots as files.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/peers/fused"
)

func main() {
	os.Exit(cli.PeerMain("archip-fused", config.TypeFuse, "Show volumes and snapshots as files", fused.Run))
}
