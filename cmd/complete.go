package cmd

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/pkg/config"
)

// completeFlag makes the shell offer the words that a flag accepts.
func completeFlag(c *cobra.Command, name string, words ...string) {
	_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeProfiles makes the shell offer profiles, with their descriptions, for the first most
// arguments (below 0: for all); only custom ones where shipped ones are no use.
func (a *app) completeProfiles(customOnly bool, most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for _, p := range a.loadedForCompletion(args, most).Profiles {
			if (!customOnly || p.Type == config.TypeCustom) && !slices.Contains(args, p.Name) {
				out = append(out, cobra.CompletionWithDesc(p.Name, p.Description))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeRules makes the shell offer rules, with their descriptions.
func (a *app) completeRules(most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for _, r := range a.loadedForCompletion(args, most).Rules {
			if !slices.Contains(args, r.Name) {
				out = append(out, cobra.CompletionWithDesc(r.Name, r.Description))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completePools makes the shell offer the pools of sendctl.toml.
func (a *app) completePools(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return slices.Sorted(maps.Keys(a.loadedForCompletion(nil, -1).Settings.Pools)), cobra.ShellCompDirectiveNoFileComp
}

// loadedForCompletion is the configuration as far as it can be read; empty where enough
// arguments are there already.
func (a *app) loadedForCompletion(args []string, most int) *config.Config {
	dirs, err := config.FindConfig(a.configEnv())
	if err != nil || most >= 0 && len(args) >= most {
		return &config.Config{}
	}
	cfg, _ := config.Load(dirs.Config)
	return cfg
}
