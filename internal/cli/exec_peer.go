package cli

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"archipelago/internal/config"
	"archipelago/internal/node"
)

// NewExecPeer returns the command archip-peer: it looks up the type of a role and becomes the
// program that serves it, so that one unit template starts them all.
func NewExecPeer() *cobra.Command {
	root, app := NewRoot("archip-peer", "Become the peer that serves a role",
		"Look up the type of ROLE in the configuration, and become the program that serves it.")
	root.Use = "archip-peer ROLE"
	root.Example = "  archip-peer -c /etc/archipelago/archipelago.conf blockerb"
	root.Args = Args("ROLE")
	root.CompletionOptions.DisableDefaultCmd = true
	root.RunE = func(_ *cobra.Command, args []string) error {
		cfg, err := app.Config()
		if err != nil {
			return err
		}
		if err := CheckRole(cfg, args[0], ""); err != nil {
			return err
		}
		return execPeer(cfg, cfg.Role(args[0]))
	}
	return root
}

// execPeer replaces this process; it returns only if that fails. The process id stays, so what a
// service manager said to this process holds for its successor.
func execPeer(cfg *config.Config, r *config.Role) error {
	path, err := node.Program(r.Type)
	if err != nil {
		return err
	}
	argv := append([]string{path}, append(cfg.Source().Args(), r.Name)...)
	env := os.Environ()
	if os.Getenv("LISTEN_FDS") != "" {
		env = append(env, "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	}
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, argv, env))
}
