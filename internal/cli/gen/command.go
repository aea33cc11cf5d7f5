package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/version"
)

// manual returns all pages by file name.
func manual(all []program, tree, when string) (map[string]string, error) {
	pages := map[string]string{}
	for _, p := range all {
		p.pages(pages, p.root, when)
	}
	conf, err := confPage(tree, when)
	pages["archipelago.conf.5"] = conf
	pages["archipelago.7"] = overview(all, when)
	return pages, err
}

// pages adds the page of a command and those of its subcommands.
func (p *program) pages(pages map[string]string, cmd *cobra.Command, when string) {
	pages[fmt.Sprintf("%s.%d", pageName(cmd), p.section)] = p.page(cmd, when)
	for _, sub := range subcommands(cmd) {
		p.pages(pages, sub, when)
	}
}

// subcommands are those that a user sees, but for what cobra adds.
func subcommands(cmd *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(cmd.Commands()), func(c *cobra.Command) bool {
		return !c.IsAvailableCommand() || c.Name() == "help" || c.Name() == "completion"
	})
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func (p *program) page(cmd *cobra.Command, when string) string {
	out := newPage(pageName(cmd), p.section, when, "archipelago "+version.String(), oneLine(cmd.Short))
	out.section("Synopsis")
	out.linef("%s", synopsis(cmd))
	out.section("Description")
	out.text(description(cmd))
	if len(cmd.Aliases) > 0 {
		out.text("Also known as " + strings.Join(cmd.Aliases, ", ") + ".")
	}
	if subs := subcommands(cmd); len(subs) > 0 {
		out.section("Commands")
		for _, sub := range subs {
			out.item(sub.Short+".", bold(sub.Name()))
		}
	}
	out.flags("Options", cmd.NonInheritedFlags(), cmd.HasParent() || p.peer)
	out.flags("Options of all commands", cmd.InheritedFlags(), false)
	out.exit()
	out.environment()
	out.section("Examples")
	out.code(example(cmd))
	out.section("See also")
	out.linef("%s", strings.Join(p.seeAlso(cmd), ",\n"))
	return out.String()
}

// oneLine begins in lower case, as the lines of apropos do.
func oneLine(s string) string {
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func description(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short + "."
}

// synopsis has the name in bold; what has commands takes one.
func synopsis(cmd *cobra.Command) string {
	args := strings.TrimPrefix(cmd.Use, cmd.Name())
	if len(subcommands(cmd)) > 0 {
		args += " COMMAND [ARGUMENT]..."
	}
	if cmd.HasAvailableLocalFlags() {
		args = " [OPTION]..." + args
	}
	return bold(cmd.CommandPath()) + escape(args)
}

// example is that of the command, or of its first subcommand; where there are no arguments, the
// command as it is.
func example(cmd *cobra.Command) string {
	if cmd.Example != "" {
		return cmd.Example
	}
	if cmd.Use == cmd.Name() && len(subcommands(cmd)) == 0 {
		return "  " + cmd.CommandPath()
	}
	for _, sub := range subcommands(cmd) {
		if text := example(sub); text != "" {
			return text
		}
	}
	return ""
}

func (p *page) flags(title string, flags *pflag.FlagSet, withHelp bool) {
	begun := false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" && !withHelp {
			return
		}
		if !begun {
			p.section(title)
			begun = true
		}
		p.flag(f)
	})
}

func (p *page) flag(f *pflag.Flag) {
	kind, usage := pflag.UnquoteUsage(f)
	term := bold("--" + f.Name)
	if f.Shorthand != "" {
		term = bold("-"+f.Shorthand) + ", " + term
	}
	if kind != "" {
		term += ` \fI` + escape(strings.ToUpper(kind)) + `\fR`
	}
	p.item(strings.ToUpper(usage[:1])+usage[1:]+".", term)
}

func (p *page) exit() {
	p.section("Exit status")
	for _, s := range cli.Statuses() {
		p.item(strings.ToUpper(s.Text[:1])+s.Text[1:]+".", bold(fmt.Sprint(s.Code)))
	}
}

func (p *page) environment() {
	p.section("Environment")
	p.item("Directory of the node, as -d gives it.", bold(config.EnvDir))
	p.item("Configuration file of the node, as -c gives it.", bold(config.EnvFile))
	p.section("Files")
	p.item("Configuration of the node, unless another one is named.", bold(config.DefaultPath))
}

// seeAlso names the pages around a command: the one above it and those below.
func (p *program) seeAlso(cmd *cobra.Command) []string {
	var all []string
	if cmd.HasParent() {
		all = append(all, reference(pageName(cmd.Parent()), p.section))
	}
	for _, sub := range subcommands(cmd) {
		all = append(all, reference(pageName(sub), p.section))
	}
	return append(all, reference("archipelago.conf", 5), reference("archipelago", 7))
}
