package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"archipelago/internal/config"
	"archipelago/peers/peer"
)

// PeerRun serves a role until ctx ends; peer.Replaced(ctx) says then whether a successor takes over.
type PeerRun func(ctx context.Context, cfg *config.Config, role string) error

// PeerMain is the main function of a peer's program: NAME [-d DIR | -c FILE] ROLE. It returns the
// exit status. typ is the type of role that the program can serve.
func PeerMain(program, typ, short string, run PeerRun) int {
	return Main(NewPeer(program, typ, short, run))
}

// NewPeer returns the command of a peer's program; see PeerMain.
func NewPeer(program, typ, short string, run PeerRun) *cobra.Command {
	root, app := NewRoot(program, short, short+", in the foreground, until it gets SIGTERM. ROLE is one of the\n"+
		"configuration. archipelago run and the units of systemd start it; nobody else needs to.")
	root.Example = "  " + program + " -d /tmp/node ROLE"
	root.Use = program + " ROLE"
	root.Args = Args("ROLE")
	root.CompletionOptions.DisableDefaultCmd = true
	root.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := app.Config()
		if err != nil {
			return err
		}
		if err := CheckRole(cfg, args[0], typ); err != nil {
			return err
		}
		ctx, stop := peer.WithReplace(cmd.Context())
		defer stop()
		return run(ctx, cfg, args[0])
	}
	return root
}

// CheckRole says whether name is a role of cfg of that type ("" = any).
func CheckRole(cfg *config.Config, name, typ string) error {
	var names []string
	for _, r := range cfg.Roles {
		if typ == "" || r.Type == typ {
			names = append(names, r.Name)
		}
	}
	if slices.Contains(names, name) {
		return nil
	}
	if r := cfg.Role(name); r != nil {
		return Usagef("role %s is a %s, not a %s", name, r.Type, typ)
	}
	known := "none"
	if len(names) > 0 {
		known = strings.Join(names, ", ")
	}
	return &UsageError{fmt.Errorf("no role %q in the configuration; known: %s", name, known)}
}
