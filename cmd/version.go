package cmd

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
)

// versionInfo is what `sendctl version` tells.
type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readVersion() versionInfo {
	v := versionInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which build of sendctl this is",
		Long:    "Say which build of sendctl this is: version, commit, Go version and platform.\n\nEXIT STATUS\n  0 always · 64 usage",
		Example: "  sendctl version\n  sendctl version -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			out, err := a.output()
			if err != nil {
				return err
			}
			v := readVersion()
			t := ui.Table{Shape: ui.Record, Columns: []ui.Column{{Title: "Version"}, {Title: "Commit"}, {Title: "Go"}, {Title: "Platform"}}}
			t.Add("sendctl "+v.Version, v.Commit, v.Go, v.Platform)
			return out.Print(v, t)
		},
	}
}
