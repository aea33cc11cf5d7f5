package cli

import (
	"bufio"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// Printer prints the data of one command, as text or as a JSON object per line. It buffers, and
// keeps the first error of the output for the end.
type Printer struct {
	w    *bufio.Writer
	json bool
	err  error
}

// Print runs f with a printer for the command's standard output. A failure to write (a full disk
// behind it, say) is an error like any other.
func (a *App) Print(cmd *cobra.Command, f func(*Printer) error) error {
	p := &Printer{w: bufio.NewWriter(cmd.OutOrStdout()), json: a.JSON}
	err := f(p)
	if flushErr := p.w.Flush(); p.err == nil {
		p.err = flushErr
	}
	if err == nil && p.err != nil {
		err = fmt.Errorf("write standard output: %w", p.err)
	}
	return err
}

// JSON says whether data is printed as JSON.
func (p *Printer) JSON() bool { return p.json }

// Linef prints a line of text.
func (p *Printer) Linef(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil && p.err == nil {
		p.err = err
	}
}

// Object prints v as a line of JSON.
func (p *Printer) Object(v any) {
	enc := json.NewEncoder(p.w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil && p.err == nil {
		p.err = err
	}
}
