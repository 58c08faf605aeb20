package cmd

import (
	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var dir, messages string
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Run mail hosts with many characters on the loopback, until interrupted",
		Long: `Run the sandbox: mail hosts and DNS on the loopback, for trying out profiles and rules
without sending a single message to the world. Every domain behaves in its own way; the
table says how. Other commands join it with --sandbox=DIR.

EXIT STATUS
  0 ended by an interrupt · 64 usage · 74 the directory cannot be written`,
		Example: `  sendctl sandbox --dir /tmp/box
  sendctl send --sandbox=/tmp/box --profile hipaa examples/batch`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runSandbox(c, dir, messages) },
	}
	c.Flags().StringVar(&dir, "dir", "", "write into `DIR` how other commands can join (--sandbox=DIR)")
	c.Flags().StringVar(&messages, "sandbox-dir", "", "write every message that is received into `DIR`")
	return c
}

func (a *app) runSandbox(c *cobra.Command, dir, messages string) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	o := sandbox.Options{Dir: dir, MessageDir: messages, Keep: sandbox.KeepCounts}
	box, err := sandbox.Start(o)
	if err != nil {
		return fail(exitState, err, "")
	}
	t := ui.Table{Title: "Sandbox", Columns: []ui.Column{{Title: "Domain"}, {Title: "MX", Fold: 1}, {Title: "What it does", Wrap: true}}}
	for _, d := range box.Table() {
		t.Add(d.Domain, joined(d.MX), d.About)
	}
	if err := out.Print(map[string]any{"dns": box.DNS(), "dir": dir, "ca": string(box.CA()), "domains": box.Table()}, t); err != nil {
		return err
	}
	if dir != "" {
		out.Hint("join it: sendctl send --sandbox=" + dir + " --profile hipaa examples/batch")
	}
	out.Hint("its DNS answers at " + box.DNS() + "; interrupt to stop it")
	<-c.Context().Done()
	if err := box.Close(); err != nil {
		return fail(exitState, err, "")
	}
	return nil
}
