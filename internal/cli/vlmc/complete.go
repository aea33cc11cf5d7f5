package vlmc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/volume"
)

const (
	// completeTimeout is how long somebody who pressed a key waits for names at most.
	completeTimeout = time.Second
	// completeMost bounds the list: nobody looks through more.
	completeMost = 1000
)

// newNames are the arguments that name something which isn't there yet, by command.
var newNames = map[string][]string{
	"create": {"NAME"}, "import": {"NAME"}, "clone": {"NAME"}, "snapshot": {"SNAPSHOT"}, "rename": {"NEWNAME"},
}

// completeNames lets shells complete the names of volumes and snapshots, wherever the synopsis of
// a command has an argument for one.
func completeNames(root *cobra.Command, app *cli.App) {
	for _, cmd := range root.Commands() {
		if cmd.ValidArgsFunction != nil {
			continue
		}
		kinds := arguments(cmd)
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			switch kind := kindAt(kinds, len(args), cmd); {
			case kind == "FILE":
				return nil, cobra.ShellCompDirectiveDefault
			case kind == "" || slices.Contains(newNames[cmd.Name()], kind):
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return namesFor(cmd.Context(), app, typed), cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// arguments are the words in capitals of a synopsis that stand for an argument, not for the value of
// a flag.
func arguments(cmd *cobra.Command) (kinds []string) {
	flag := false
	for _, word := range strings.Fields(cmd.Use)[1:] {
		word = strings.Trim(word, "[]{}.")
		switch {
		case strings.HasPrefix(word, "-"):
			flag = true
		case word == "|":
		case !flag && word == strings.ToUpper(word):
			kinds = append(kinds, word)
		default:
			flag = false
		}
	}
	return kinds
}

// kindAt is what the argument of that number stands for, "" if there is none. Where the synopsis
// says "..." the last ones repeat.
func kindAt(kinds []string, n int, cmd *cobra.Command) string {
	switch {
	case n < len(kinds):
		return kinds[n]
	case strings.Contains(cmd.Use, "...") && len(kinds) > 0:
		return kinds[(n-len(kinds))%len(kinds)]
	}
	return ""
}

// namesFor lists what begins with typed. Whatever goes wrong (no node, no answer within a moment)
// means no names: a message would stand in the middle of what somebody is typing.
func namesFor(ctx context.Context, app *cli.App, typed string) []string {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	found := make(chan []string, 1)
	go func() { found <- lookUp(ctx, app, typed) }()
	select {
	case names := <-found:
		return names
	case <-ctx.Done():
		return nil // a peer that was stopped answers no call, and the end of ctx to some of them neither
	}
}

func lookUp(ctx context.Context, app *cli.App, typed string) (names []string) {
	cfg, err := app.Config()
	if err != nil {
		return nil
	}
	c, err := volume.Dial(ctx, cfg, volume.Options{Role: "vlmc", RecoverySeconds: 1})
	if err != nil {
		return nil
	}
	defer c.Close()
	enough := errors.New("enough")
	// What begins with typed comes right behind it, and typed itself may be a name.
	_ = c.ListAfter(ctx, before(typed), func(name string) error {
		switch {
		case strings.HasPrefix(name, typed):
			names = append(names, name)
		case name > typed:
			return enough
		}
		if len(names) == completeMost {
			return enough
		}
		return nil
	})
	return names
}

// before returns a string that sorts before s, with little in between.
func before(s string) string {
	if s == "" {
		return ""
	}
	last := len(s) - 1
	return s[:last] + string([]byte{s[last] - 1})
}
