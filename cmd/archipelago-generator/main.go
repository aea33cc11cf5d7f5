// Command archipelago-generator is a generator of systemd: from the configuration of the node it
// tells systemd which peers belong to archipelago.target, and their order.
//
// systemd runs it at boot and at daemon-reload with three directories to write to; the first counts.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/systemd"
)

func main() {
	if err := generate(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "archipelago-generator:", err)
		os.Exit(cli.ExitCode(err))
	}
}

func generate(args []string) error {
	if len(args) != 1 && len(args) != 3 {
		return cli.Usagef("usage: archipelago-generator NORMAL-DIR [EARLY-DIR LATE-DIR]")
	}
	// Only the node of the system is systemd's: neither flags nor the environment name another one.
	cfg, err := config.Read(config.DefaultPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var roles []systemd.Role
	for _, r := range cfg.Roles {
		roles = append(roles, systemd.Role{Name: r.Name, Type: r.Type})
	}
	return systemd.Generate(args[0], roles)
}
