package archipelago

import (
	"errors"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
)

func newConfigCommand(app *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check and show the configuration",
		Long: "Check and show the configuration: the one that -d or -c names, else that of the environment\n" +
			"(" + config.EnvDir + ", " + config.EnvFile + "), else " + config.DefaultPath + ".",
	}
	cli.Group(cmd)
	cmd.AddCommand(newConfigCheckCommand(app), newConfigShowCommand(app))
	return cmd
}

// checked is what `config check --json` prints.
type checked struct {
	Path   string    `json:"path"`
	OK     bool      `json:"ok"`
	Errors []problem `json:"errors"`
}

type problem struct {
	Line    int    `json:"line"` // 0 = no place
	Col     int    `json:"column"`
	Message string `json:"message"`
}

func newConfigCheckCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong with the configuration",
		Long: "Report everything that is wrong with the configuration, with line and column, also what it\n" +
			"names that isn't there; print OK if nothing is.",
		Example: "  archipelago config check",
		Args:    cli.Args(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return check(cmd, app) },
	}
}

func check(cmd *cobra.Command, app *cli.App) error {
	src, err := config.Locate(app.Dir, app.File)
	if err != nil {
		return err
	}
	cfg, bad := src.Load()
	if bad == nil {
		bad = cfg.CheckHost()
	}
	result := checked{Path: src.File + src.Dir, OK: bad == nil, Errors: problems(bad)}
	err = app.Print(cmd, func(p *cli.Printer) error {
		switch {
		case p.JSON():
			p.Object(result)
		case result.OK:
			p.Linef("%s: OK", result.Path)
		}
		return nil
	})
	return errors.Join(bad, err)
}

func problems(err error) []problem {
	list := []problem{}
	if errs, ok := errors.AsType[config.Errors](err); ok {
		for _, e := range errs {
			list = append(list, problem{e.Line, e.Col, e.Msg})
		}
	} else if err != nil {
		list = append(list, problem{Message: err.Error()})
	}
	return list
}

func newConfigShowCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print the values in effect and where each comes from",
		Long: "Print the configuration in effect as a configuration file, with a comment that says where\n" +
			"each value comes from.",
		Example: "  archipelago config show -d /tmp/node",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := app.Config()
			if err != nil {
				return err
			}
			return app.Print(cmd, func(p *cli.Printer) error {
				if !p.JSON() {
					p.Linef("%s", cfg.Format())
					return nil
				}
				for _, s := range cfg.Settings() {
					p.Object(s)
				}
				return nil
			})
		},
	}
}
