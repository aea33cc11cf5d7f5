package archipelago

import (
	"log/slog"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/metrics"
)

// defaultListen is where Prometheus is told to look; it can't scrape a Unix socket by itself.
const defaultListen = "127.0.0.1:9105"

func newMetricsCommand(app *cli.App) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Serve metrics of the node for Prometheus",
		Long: "Serve the metrics of the node at http://HOST:PORT/metrics until Ctrl-C or SIGTERM. The node\n" +
			"need not run: archipelago_up says whether it does. No peer is asked.\n\n" +
			"--listen unix:PATH serves on a Unix socket, for a proxy that adds access control.",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := app.Config()
			if err != nil {
				return err
			}
			ln, err := metrics.Listen(listen)
			if err != nil {
				return err
			}
			slog.Info("serving metrics", "address", ln.Addr().String(), "segment", cfg.SegmentName)
			return metrics.Serve(cmd.Context(), ln, cfg)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "address: HOST:PORT, :PORT or unix:PATH")
	return cmd
}
