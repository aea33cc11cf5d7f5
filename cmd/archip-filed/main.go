// Command archip-filed: serve a blocker that stores objects as files.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/peers/filed"
)

func main() {
	os.Exit(cli.PeerMain("archip-filed", config.TypeFile, "Serve a blocker that stores objects as files", filed.Run))
}
