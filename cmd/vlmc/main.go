// Command vlmc manages the volumes of a node.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/cli/vlmc"
)

func main() {
	os.Exit(cli.Main(vlmc.New()))
}
