package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
)

// completionCommand takes the place of cobra's own, which has no examples and no exit status.
func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script that makes a shell complete commands, flags, profiles and rules",
		Long: `Print the script that makes a shell complete commands, flags and their values, and the names of
profiles and rules. Bash needs the package bash-completion; zsh needs compinit.

EXIT STATUS
  0 done · 64 usage · 74 the script cannot be written`,
		Example: `  source <(sendctl completion bash)
  sendctl completion bash > /etc/bash_completion.d/sendctl
  sendctl completion zsh > "${fpath[1]}/_sendctl"
  sendctl completion fish > ~/.config/fish/completions/sendctl.fish`,
		Args:                  cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.completionScript(c.Root(), args[0]); err != nil {
				return fail(exitState, fmt.Errorf("writing the script: %w", err), "")
			}
			return nil
		},
	}
}

func (a *app) completionScript(root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(a.stdout, true)
	case "zsh":
		return root.GenZshCompletion(a.stdout)
	case "fish":
		return root.GenFishCompletion(a.stdout, true)
	}
	return root.GenPowerShellCompletionWithDesc(a.stdout)
}

// completions makes the shell offer the values of flags that several commands have, wherever
// the command itself has not said better.
func (a *app) completions(root *cobra.Command) {
	for _, c := range available(root) {
		for name, offer := range map[string]cobra.CompletionFunc{
			"output":  cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp),
			"profile": a.completeProfiles(false, -1),
			"config":  directories, "state": directories, "dir": directories, "done": directories,
			"sandbox": directories, "sandbox-dir": directories,
		} {
			if c.LocalNonPersistentFlags().Lookup(name) == nil && c.PersistentFlags().Lookup(name) == nil {
				continue
			}
			if _, said := c.GetFlagCompletionFunc(name); !said {
				_ = c.RegisterFlagCompletionFunc(name, offer) // fails for a flag that is not there, or said already
			}
		}
	}
}

func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func formatNames() []string {
	var names []string
	for _, f := range ui.Formats() {
		names = append(names, string(f))
	}
	return names
}
