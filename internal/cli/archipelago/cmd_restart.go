package archipelago

import (
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
)

// defaultRestartLimit leaves room for an orderly stop of each role that takes its whole time.
const defaultRestartLimit = 5 * time.Minute

func newRestartCommand(app *cli.App) *cobra.Command {
	limit := defaultRestartLimit
	cmd := &cobra.Command{
		Use:   "restart [ROLE]",
		Short: "Restart a role, or all roles one by one, while clients are served",
		Long: "Stop a role in order, start it again and wait until it is ready; without ROLE, do so with\n" +
			"all roles, one after the other. Volumes stay open: whoever uses them sees a pause.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("%s takes one ROLE at most; %d arguments were given", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := app.Config()
			if err != nil {
				return err
			}
			role := ""
			if len(args) > 0 {
				role = args[0]
			}
			return restartInRun(cmd, app, cfg, role, limit)
		},
	}
	cmd.Flags().DurationVar(&limit, "timeout", limit, "how long to wait; 0: for ever")
	return cmd
}
