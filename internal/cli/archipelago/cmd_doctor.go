package archipelago

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/cli/screen"
	"archipelago/internal/config"
	"archipelago/internal/doctor"
)

func newDoctorCommand(app *cli.App) *cobra.Command {
	var bundle string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, and say what to do",
		Long: "Look at configuration, segment, permissions, limits, storage, locks, half-done work, versions\n" +
			"of running peers, kernel modules, leftovers, sockets and clock. Nothing is changed; the node\n" +
			"may run or not. As root it sees more.\n\n" +
			"Fails (1) if there is a problem; warnings and notes alone are a success.\n\n" +
			"--bundle writes an archive for whoever helps: report, configuration, state, logs. Keys,\n" +
			"passwords and the like are masked; names of volumes, hosts and directories are in it.",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd, app, bundle) },
	}
	cmd.Flags().StringVar(&bundle, "bundle", "", "write a support archive (tar.gz) to this new file")
	return cmd
}

func runDoctor(cmd *cobra.Command, app *cli.App, bundle string) error {
	load := func() (*config.Config, error) { return app.Config() }
	rep := doctor.Run(cmd.Context(), doctor.Options{Load: load})
	if err := cmd.Context().Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if err := app.Print(cmd, func(p *cli.Printer) error { printReport(cmd, p, rep); return nil }); err != nil {
		return err
	}
	if bundle != "" {
		if err := writeBundle(cmd, rep, load, bundle); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s\n", bundle)
	}
	if rep.Problems > 0 {
		return &cli.CodeError{Code: cli.ExitFailed, Err: errors.New("")} // the report has said it
	}
	return nil
}

// colours of the levels.
var colours = [...]int{doctor.OK: 32, doctor.Note: 36, doctor.Warning: 33, doctor.Problem: 31}

func printReport(cmd *cobra.Command, p *cli.Printer, rep *doctor.Report) {
	if p.JSON() {
		p.Object(rep)
		return
	}
	width, mark := batchWidth, func(_ doctor.Level, s string) string { return s }
	if out := cmd.OutOrStdout(); cli.IsTerminal(out) {
		width, _ = screen.Size(out)
		mark = func(l doctor.Level, s string) string { return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colours[l], s) }
	}
	for _, line := range rep.Lines(width, mark) {
		p.Linef("%s", line)
	}
}

// writeBundle makes the file anew, for nobody else to read, and leaves none that isn't whole.
func writeBundle(cmd *cobra.Command, rep *doctor.Report, load func() (*config.Config, error), path string) (err error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("support archive: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(fmt.Errorf("support archive %s: %w", path, err), os.Remove(path))
		}
	}()
	return doctor.Bundle(cmd.Context(), f, rep, load)
}
