package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// program is a small command line in the form that all of ours have.
func program() (*cobra.Command, *App) {
	root, app := NewRoot("prog", "Short", "Long.")
	var size Size
	sub := &cobra.Command{
		Use: "make NAME", Short: "Make", Args: Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.Print(cmd, func(p *Printer) error {
				if p.JSON() {
					p.Object(map[string]string{"name": args[0] + "&"})
				} else {
					p.Linef("%s %d", args[0], size)
				}
				return nil
			})
		},
	}
	sub.Flags().VarP(&size, "size", "s", "size")
	group := &cobra.Command{Use: "group", Short: "Group"}
	Group(group)
	group.AddCommand(&cobra.Command{Use: "leaf", Args: Args(), RunE: func(*cobra.Command, []string) error { return nil }})
	root.AddCommand(sub, group)
	return root, app
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		text string // of the output, or the error
	}{
		{"make x -s 2G", 0, "x 2147483648\n"},
		{"make x --json", 0, `{"name":"x&"}` + "\n"},
		{"group leaf", 0, ""},
		{"make", 2, "prog make takes NAME; 0 arguments were given"},
		{"make a b", 2, "takes NAME; 2 arguments"},
		{"group leaf x", 2, "takes no arguments; 1 arguments"},
		{"make x -s big", 2, `"big" is not a size`},
		{"make x --sise 1", 2, "unknown flag: --sise"},
		{"make x -s", 2, "flag needs an argument"},
		{"mkae x", 2, `unknown command "mkae"; did you mean make?`},
		{"zzzzzz", 2, `unknown command "zzzzzz"; see prog --help`},
		{"group", 2, "a command is needed; see prog group --help"},
		{"group zzzzzz", 2, `unknown command "zzzzzz"`},
		{"", 2, "a command is needed; see prog --help"},
	} {
		root, _ := program()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(io.Discard)
		root.SetArgs(strings.Fields(c.args))
		err := root.ExecuteContext(t.Context())
		got := out.String()
		if err != nil {
			got = err.Error()
		}
		if ExitCode(err) != c.code || !strings.Contains(got, c.text) {
			t.Errorf("%q: %d %q, want %d %q", c.args, ExitCode(err), got, c.code, c.text)
		}
	}
}

func TestHelpHasExitStatus(t *testing.T) {
	for _, args := range []string{"--help", "make --help", "group leaf -h"} {
		root, _ := program()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(strings.Fields(args))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"EXIT STATUS", "   13  the node or one of its peers", "--json", "ARCHIPELAGO_DIR"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", args, want, out.String())
			}
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestOutputErrors: a command whose output can't be written has failed.
func TestOutputErrors(t *testing.T) {
	root, _ := program()
	root.SetOut(failingWriter{})
	root.SetArgs([]string{"make", "x"})
	if err := root.Execute(); err == nil || err.Error() != "write standard output: disk full" {
		t.Errorf("%v", err)
	}
}

func TestProgressLine(t *testing.T) {
	p := &Progress{label: "import", total: 400}
	p.Add(100)
	if got, want := p.line(time.Second), "import [=======                       ]  25% of 400 B, 100 B/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.total = 0
	if got, want := p.line(2*time.Second), "import 100 B, 50 B/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestNoProgressInAPipe: only a terminal sees the bar.
func TestNoProgressInAPipe(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, "import", 10)
	p.Add(10)
	p.End()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}

// TestPeerRoles: what a peer says of a role that it can't serve.
func TestPeerRoles(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/tmp")
	app := &App{Dir: t.TempDir()}
	cfg, err := app.Config()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ role, typ, want string }{
		{"blockerb", "file_blocker", ""},
		{"vlmcd", "", ""},
		{"vlmcd", "file_blocker", "role vlmcd is a vlmcd, not a file_blocker"},
		{"nobody", "file_blocker", `no role "nobody" in the configuration; known: blockerb, blockerm`},
		{"nobody", "rados_blocker", `known: none`},
	} {
		err := CheckRole(cfg, c.role, c.typ)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || ExitCode(err) != 2) {
			t.Errorf("%s as %s: %v", c.role, c.typ, err)
		}
	}
}

func TestCancelIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := ExitCode(ctx.Err()); code != ExitInterrupted {
		t.Error(code)
	}
}
