package archipelago

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
)

// rowWidth is the width of the first column of all rows, as documented.
const rowWidth = 23

// Colours of the second column.
const (
	red    = 31
	green  = 32
	yellow = 33
)

// rows shows what a command does, a row for each step: on a terminal when the step begins, with its
// outcome when it ends; elsewhere when it ends.
type rows struct {
	cmd      *cobra.Command
	app      *cli.App
	terminal bool
	err      error // the first failure to write
}

func newRows(cmd *cobra.Command, app *cli.App) *rows {
	return &rows{cmd: cmd, app: app, terminal: cli.IsTerminal(cmd.OutOrStdout())}
}

// step is one row, as JSON.
type step struct {
	Action string `json:"action"` // starting, stopping, …
	Name   string `json:"name"`   // of the role, or what else it is about
	Result string `json:"result"` // ok, failed, not running, …
	Millis int64  `json:"took_ms"`
}

// do shows the row of f, which it runs. f returns the outcome ("" = OK) or why it failed.
func (r *rows) do(action, name string, f func() (string, error)) error {
	title := fmt.Sprintf("%-*s", rowWidth, action+" "+name+" ")
	live := r.terminal && !r.app.JSON
	if live {
		r.write(title)
	}
	begin := time.Now()
	result, err := f()
	code := yellow
	switch {
	case err != nil:
		result, code = "FAILED", red
	case result == "":
		result, code = "OK", green
	}
	switch {
	case r.app.JSON:
		r.object(step{strings.ToLower(action), name, strings.ToLower(result), time.Since(begin).Milliseconds()})
	case live:
		r.write(fmt.Sprintf("\x1b[%dm%s\x1b[0m\n", code, result))
	default:
		r.write(title + result + "\n")
	}
	return err
}

func (r *rows) write(text string) {
	if _, err := io.WriteString(r.cmd.OutOrStdout(), text); err != nil && r.err == nil {
		r.err = fmt.Errorf("write standard output: %w", err)
	}
}

func (r *rows) object(v any) {
	err := r.app.Print(r.cmd, func(p *cli.Printer) error {
		p.Object(v)
		return nil
	})
	if r.err == nil {
		r.err = err
	}
}
