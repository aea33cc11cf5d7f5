// Command archipelago runs a node and looks at it.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/cli/archipelago"
	"archipelago/internal/config"
	"archipelago/internal/node"
	"archipelago/peers/filed"
	"archipelago/peers/fused"
	"archipelago/peers/mapperd"
	"archipelago/peers/nbdd"
	"archipelago/peers/vlmcd"
)

// roles is what `run --in-process` runs: the same as the programs of the peers.
var roles = map[string]node.Serve{
	config.TypeFile:   filed.Run,
	config.TypeMapper: mapperd.Run,
	config.TypeVlmcd:  vlmcd.Run,
	config.TypeNBD:    nbdd.Run,
	config.TypeFuse:   fused.Run,
}

func main() {
	os.Exit(cli.Main(archipelago.New(roles)))
}
