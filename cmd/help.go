package cmd

import (
	"strings"

	"github.com/spf13/cobra"
)

// helpCommand takes the place of cobra's own, which has neither examples nor an exit status.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Tell of a command, its flags, examples and exit status",
		Long: `Tell of a command what it does, its flags, examples and exit status, as --help does.

EXIT STATUS
  0 told · 64 there is no such command`,
		Example:           "  sendctl help send\n  sendctl help queue run",
		ValidArgsFunction: completeCommands,
		RunE: func(c *cobra.Command, args []string) error {
			about, err := commandNamed(c.Root(), args)
			if err != nil {
				return err
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// commandNamed is the command of these names, which may leave out "sendctl".
func commandNamed(root *cobra.Command, names []string) (*cobra.Command, error) {
	if len(names) > 0 && names[0] == root.Name() {
		names = names[1:]
	}
	c := root
	for _, name := range names {
		next := subcommand(c, name)
		if next == nil {
			hint := "sendctl help lists the commands"
			c.SuggestionsMinimumDistance = 2
			if near := c.SuggestionsFor(name); len(near) > 0 {
				hint = "did you mean " + strings.Join(near, " or ") + "?"
			}
			return nil, usagef(hint, "there is no command %s %s", c.CommandPath(), name)
		}
		c = next
	}
	return c, nil
}

func subcommand(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == name && !sub.Hidden {
			return sub
		}
	}
	return nil
}

// completeCommands makes the shell offer the commands below those that are named already.
func completeCommands(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	at, err := commandNamed(c.Root(), args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []cobra.Completion
	for _, sub := range at.Commands() {
		if !sub.Hidden {
			out = append(out, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
