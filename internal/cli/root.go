package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"archipelago/internal/config"
	"archipelago/internal/version"
	"archipelago/xseg"
)

// App is what the commands of one program share: the flags that every command has.
type App struct {
	Dir  string // -d
	File string // -c
	JSON bool   // --json
}

// NewRoot makes the root command of a program, and the App that its flags fill.
func NewRoot(name, short, long string) (*cobra.Command, *App) {
	app := &App{}
	root := &cobra.Command{
		Use:           name,
		Short:         short,
		Long:          long,
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.Flags().Bool("version", false, "print the version of the program") // else -v would mean it
	Group(root)
	flags := root.PersistentFlags()
	flags.StringVarP(&app.Dir, "dir", "d", "", "directory of the node (env "+config.EnvDir+")")
	flags.StringVarP(&app.File, "config", "c", "",
		"configuration file of the node (env "+config.EnvFile+", default "+config.DefaultPath+")")
	flags.BoolVar(&app.JSON, "json", false, "print data and errors as JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &UsageError{err} })
	root.SetHelpTemplate(root.HelpTemplate() + exitHelp())
	return root, app
}

// exitHelp is the table of exit statuses at the end of each help text.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("\nEXIT STATUS\n")
	for _, s := range Statuses() {
		fmt.Fprintf(&b, "  %3d  %s\n", s.Code, s.Text)
	}
	return b.String()
}

// Group makes cmd one that only has subcommands: without one, or with an unknown one, it is a usage
// error (cobra alone would print help and succeed, or fail with an error of no type).
func Group(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Usagef("a command is needed; see %s --help", cmd.CommandPath())
		}
		msg := fmt.Sprintf("unknown command %q; see %s --help", args[0], cmd.CommandPath())
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			msg = fmt.Sprintf("unknown command %q; did you mean %s?", args[0], strings.Join(like, " or "))
		}
		return Usagef("%s", msg)
	}
	cmd.SuggestionsMinimumDistance = 2
}

// Args makes a check that a command gets exactly the arguments named.
func Args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return Usagef("%s takes %s; %d arguments were given", cmd.CommandPath(), want, len(args))
	}
}

// Config reads the configuration that the flags or the environment name.
func (a *App) Config() (*config.Config, error) { return config.Find(a.Dir, a.File) }

// Main runs root with the arguments of the process and returns the exit status. SIGINT and SIGTERM
// end the context of the command once; a second one ends the process.
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	args := os.Args[1:]
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return Report(os.Stderr, root.Name(), wantsJSON(args), err)
}

// wantsJSON looks for --json by itself, because an error may come before flags are parsed.
func wantsJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.Contains(args, "--json") || slices.Contains(args, "--json=true")
}

// explainVersion adds to the error of a segment that programs of another version made what can be
// done: the numbers alone help nobody who is in the middle of an upgrade.
func explainVersion(program string, err error) error {
	if !errors.Is(err, xseg.ErrVersion) {
		return err
	}
	return fmt.Errorf("%w\nthis is %s %s, and the node runs programs of another version: use those, or stop the node "+
		"and start it with these", err, program, version.String())
}

// Report writes err (nothing for nil) and returns its exit status. An error with an empty text was
// told already.
func Report(w io.Writer, program string, asJSON bool, err error) int {
	code := ExitCode(err)
	err = explainVersion(program, err)
	if err == nil || err.Error() == "" {
		return code
	}
	if asJSON {
		line, _ := json.Marshal(struct {
			Error string `json:"error"`
			Code  int    `json:"code"`
		}{err.Error(), code})
		fmt.Fprintf(w, "%s\n", line)
		return code
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "%s: %s\n", program, strings.TrimSuffix(line, "\n"))
	}
	return code
}
