package archipelago

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/node"
)

func newRunCommand(app *cli.App, roles map[string]node.Serve) *cobra.Command {
	var opts node.Options
	var fuse, inProcess bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a node in the foreground",
		Long: "Run a node in the foreground until SIGINT or SIGTERM: a process per role, restarted when\n" +
			"it dies. With -d DIR everything lies below DIR, which is made if need be, and neither root\n" +
			"nor a configuration file is needed.\n\n" +
			"When the node is ready a line is printed: \"ready:\" and the URI of its NBD socket. Logs go\n" +
			"to standard error. A second signal ends the stop at once by killing all processes; what\n" +
			"wasn't flushed then is lost only if the machine goes down before the next run.\n\n" +
			"With --in-process all roles run in this one process, and meet in the segment as ever. One that\n" +
			"fails is started again; one that crashes or hangs takes the whole node with it.",
		Example: "  archipelago run -d /tmp/node",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if inProcess {
				opts.Host = roles
			}
			return run(cmd, app, opts, fuse)
		},
	}
	cmd.Flags().DurationVar(&opts.Watchdog, "watchdog", node.DefaultWatchdog,
		"kill a peer that is silent for this long (with --in-process the node); negative: never")
	cmd.Flags().DurationVar(&opts.StopTimeout, "stop-timeout", node.DefaultStopTimeout,
		"kill a peer that takes longer to stop")
	cmd.Flags().BoolVar(&fuse, "fuse", false, "with -d: show volumes as files, too (see docs/devices.md)")
	cmd.Flags().BoolVar(&inProcess, "in-process", false, "run all roles in this process, not in one each")
	return cmd
}

func run(cmd *cobra.Command, app *cli.App, opts node.Options, fuse bool) error {
	src, err := config.Locate(app.Dir, app.File)
	if err != nil {
		return err
	}
	if src.Dir != "" {
		if err := node.MakeDir(src.Dir); err != nil {
			return err
		}
	}
	cfg, err := src.Load()
	if err != nil {
		return err
	}
	if fuse && cfg.Dir == "" {
		return cli.Usagef("--fuse goes with -d; a configuration file lists fused in roles")
	}
	cfg.SetFuse(fuse)
	// Whoever read the log or the ready line may go away: that must not end the node. Caught, not
	// ignored, because peers would inherit the latter.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	opts.Force = secondSignal()
	opts.Log = cmd.ErrOrStderr()
	opts.Ready = func(uri string) { printReady(cmd.OutOrStdout(), app.JSON, cfg, uri) }
	return node.Run(cmd.Context(), cfg, opts)
}

// secondSignal returns a channel that is closed at the second SIGINT or SIGTERM of the process;
// the first one ends the context of the command.
func secondSignal() <-chan struct{} {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	force := make(chan struct{})
	go func() {
		<-signals
		<-signals
		close(force)
	}()
	return force
}

func printReady(w io.Writer, asJSON bool, cfg *config.Config, uri string) {
	if asJSON {
		line, _ := json.Marshal(struct {
			Ready   bool   `json:"ready"`
			URI     string `json:"nbd_uri,omitempty"`
			Segment string `json:"segment"`
			PID     int    `json:"pid"`
		}{true, uri, cfg.SegmentName, os.Getpid()})
		fmt.Fprintf(w, "%s\n", line)
		return
	}
	if uri == "" {
		uri = cfg.SegmentName
	}
	fmt.Fprintf(w, "ready: %s\n", uri)
}
