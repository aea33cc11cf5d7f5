// Command archip-peer becomes the peer that serves a role of the configuration.
package main

import (
	"os"

	"archipelago/internal/cli"
)

func main() {
	os.Exit(cli.Main(cli.NewExecPeer()))
}
