// Command archipelago runs a node and looks at it.
package main

import (
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/cli/archipelago"
)

func main() {
	os.Exit(cli.Main(archipelago.New()))
}
