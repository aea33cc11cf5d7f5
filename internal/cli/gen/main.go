package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/cli/archipelago"
	"archipelago/internal/cli/vlmc"
	"archipelago/internal/cli/xseg"
)

// program is one whose commands are documented.
type program struct {
	root    *cobra.Command
	section int
	peer    bool // has no subcommands and no completion
}

func main() {
	out := flag.String("out", "", "folder to write to")
	tree := flag.String("root", ".", "root of the source tree")
	flag.Parse()
	if err := generate(*out, *tree); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(cli.ExitCode(err))
	}
}

func generate(out, tree string) error {
	if out == "" {
		return cli.Usagef("-out DIR must be given")
	}
	all, err := programs(tree)
	if err != nil {
		return err
	}
	when, err := date()
	if err != nil {
		return err
	}
	pages, err := manual(all, tree, when)
	if err != nil {
		return err
	}
	for name, text := range pages {
		err = errors.Join(err, write(filepath.Join(out, "man", name), text))
	}
	return errors.Join(err, completions(all, filepath.Join(out, "completion")))
}

// programs are those with commands, and the peers that cmd/ has.
func programs(tree string) ([]program, error) {
	all := []program{
		{root: vlmc.New(), section: 1},
		{root: archipelago.New(nil), section: 8},
		{root: xseg.New(), section: 8},
		{root: cli.NewExecPeer(), section: 8, peer: true},
	}
	peers, err := peerPrograms(filepath.Join(tree, "cmd"))
	return append(all, peers...), err
}

// date is that of the pages: the same source gives the same bytes wherever SOURCE_DATE_EPOCH is set.
func date() (string, error) {
	when := time.Now()
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		when = time.Unix(seconds, 0)
	}
	return when.UTC().Format(time.DateOnly), nil
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
