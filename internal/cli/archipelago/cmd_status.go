package archipelago

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/node"
)

func newStatusCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the state of a node and its roles",
		Long:    "Show the segment of a node and the state of each role. Fails (13) if something is down.",
		Example: "  archipelago status\n  archipelago status --json",
		Args:    cli.Args(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return status(cmd, app) },
	}
}

func status(cmd *cobra.Command, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	rep, err := node.Status(cfg)
	if err != nil {
		return err
	}
	err = app.Print(cmd, func(p *cli.Printer) error {
		if p.JSON() {
			p.Object(rep)
		} else {
			printStatus(p, rep, cli.IsTerminal(cmd.OutOrStdout()))
		}
		return nil
	})
	if err != nil || rep.Running {
		return err
	}
	return &cli.CodeError{Code: cli.ExitNotRunning, Err: fmt.Errorf("%s", whatIsDown(rep))}
}

func whatIsDown(rep *node.Report) string {
	var down []string
	for _, r := range rep.Roles {
		if r.State != node.StateRunning {
			down = append(down, r.Role)
		}
	}
	if !rep.Joined || len(down) == len(rep.Roles) {
		return "the node is not running"
	}
	return "not running: " + strings.Join(down, ", ")
}

func printStatus(p *cli.Printer, rep *node.Report, colour bool) {
	if rep.Joined {
		p.Linef("Segment %s: %d ports, %d MiB, %d clients", rep.Segment, rep.Ports, rep.SizeMiB, rep.Clients)
	} else {
		p.Linef("Segment %s: not there", rep.Segment)
	}
	if rep.Supervisor != 0 {
		p.Linef("Supervisor: pid %d", rep.Supervisor)
	}
	for i := range rep.Roles {
		p.Linef("%s", statusRow(&rep.Roles[i], colour))
	}
	if rep.Running && rep.Socket != "" {
		p.Linef("NBD socket: %s", rep.Socket)
	}
}

// statusRow has the documented columns first: the name and the state, 23 wide each.
func statusRow(r *node.RoleReport, colour bool) string {
	state := fmt.Sprintf("%-23s", r.State)
	if colour {
		code := 32 // green
		if r.State != node.StateRunning {
			code = 31 // red
		}
		state = fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, state)
	}
	row := fmt.Sprintf("%-23s%s", r.Role, state)
	if r.State == node.StateRunning {
		row += fmt.Sprintf("pid %-8d port %-6d requests %d", r.PID, r.Port, r.Requests)
	}
	return strings.TrimRight(row, " ")
}
