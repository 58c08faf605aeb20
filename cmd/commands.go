package cmd

import (
	"strings"

	"github.com/spf13/cobra"
)

// commands lists every command, in the order of the help text.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.sendCommand(),
		a.probeCommand(),
		a.preflightCommand(),
		a.explainCommand(),
		a.queueCommand(),
		a.historyCommand(),
		a.profileCommand(),
		a.ruleCommand(),
		a.validateCommand(),
		a.doctorCommand(),
		a.sandboxCommand(),
		a.versionCommand(),
		a.completionCommand(),
		a.manCommand(),
	}
}

// joined lists names for a table cell.
func joined(names []string) string { return strings.Join(names, ", ") }
