// Command xseg looks into the shared-memory segment of a node, for those who debug it.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/cli/xseg"
)

func main() {
	os.Exit(cli.Main(xseg.New()))
}
