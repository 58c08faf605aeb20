package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/spool"
)

func (a *app) queueCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "queue",
		Short: "Show, run and change what waits in the spool",
		Long: `Show, run and change what waits in the spool: recipients whose mail was accepted and is
neither delivered nor given up. Cron calls queue run.
` + exitStatusHelp,
		Example: `  sendctl queue list
  sendctl queue run
  sendctl queue hold --domain example.com`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.queueListCommand(), a.queueShowCommand(), a.queueRunCommand())
	c.AddCommand(a.queueChangeCommands()...)
	return c
}

const queueStatusHelp = `
EXIT STATUS
  0 done · 64 usage · 66 there is no such entry · 74 the state directory cannot be used · 78 the configuration is invalid`

// withSpool runs a command that needs the store and no network.
func (a *app) withSpool(box *sandboxFlags, use func(*spool.Spool) error) error {
	cfg, err := a.configuration()
	if err != nil {
		return err
	}
	joined, err := box.open(a.flags.state)
	if err != nil {
		return err
	}
	if joined != nil {
		defer func() { _ = joined.close() }() // nothing was sent through it
	}
	store, err := a.openSpool(cfg, joined)
	if err != nil {
		return err
	}
	if err := use(store); err != nil {
		_ = store.Close() // the first error is the one to tell
		return err
	}
	return stateFault(store.Close())
}

func (a *app) queueListCommand() *cobra.Command {
	var f filterFlags
	var box sandboxFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List recipients that wait, with their next attempt",
		Long:  "List recipients that wait, with their reason and next attempt.\n" + queueStatusHelp,
		Example: `  sendctl queue list
  sendctl queue list --reason greylisted --older-than 1h
  sendctl queue list -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSpool(&box, func(s *spool.Spool) error { return a.listQueue(c.Context(), s, &f) })
		},
	}
	f.register(c)
	box.register(c)
	return c
}

func (a *app) listQueue(ctx context.Context, s *spool.Spool, f *filterFlags) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	filter, err := f.filter(nil)
	if err != nil {
		return err
	}
	n, err := listed(out.Queue, s.List(ctx, filter))
	if err != nil {
		return err
	}
	if n == 0 {
		return out.Line("nothing waits")
	}
	return nil
}

func (a *app) queueShowCommand() *cobra.Command {
	var box sandboxFlags
	c := &cobra.Command{
		Use:     "show ID...",
		Short:   "Show everything that is known of queued messages",
		Long:    "Show everything that is known of queued messages: recipients, requirements, every attempt.\n" + queueStatusHelp,
		Example: "  sendctl queue show 2b9d5c7c6f8a4a1f9e3c7d10",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.withSpool(&box, func(s *spool.Spool) error { return a.showQueue(c.Context(), s, ids) })
		},
	}
	box.register(c)
	return c
}

func (a *app) showQueue(ctx context.Context, s *spool.Spool, ids []string) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	show := func(rows ui.Rows) (int, error) {
		var all []*send.Row
		for r, err := range rows {
			if err != nil {
				return 0, err
			}
			all = append(all, r)
		}
		if len(all) == 0 {
			return 0, fail(exitNoInput, fmt.Errorf("nothing waits under %s", joined(ids)), "sendctl queue list shows what waits, sendctl history what was settled")
		}
		return len(all), out.Entry(all)
	}
	_, err = listed(show, s.List(ctx, spool.Filter{IDs: ids}))
	return err
}

func (a *app) queueRunCommand() *cobra.Command {
	var f filterFlags
	var box sandboxFlags
	var o queueRunFlags
	c := &cobra.Command{
		Use:   "run [ID...]",
		Short: "Send what is due; cron calls this",
		Long: `Send what is due, and what becomes due meanwhile. Only one run works at a time: a second one
ends with 75. What was accepted is held against profiles and rules as they are now as well; they
can only strengthen what was demanded when it was accepted.
` + exitStatusHelp,
		Example: `  sendctl queue run -q
  sendctl queue run --now --domain example.com
  sendctl queue run --watch`,
		RunE: func(c *cobra.Command, ids []string) error { return a.runQueue(c.Context(), &f, &box, o, ids) },
	}
	c.Flags().BoolVar(&o.now, "now", false, "whether due or not")
	c.Flags().BoolVar(&o.watch, "watch", false, "stay, and send what comes due until interrupted")
	c.Flags().BoolVar(&o.waitLock, "wait-lock", false, "wait for another run to end instead of giving up")
	c.Flags().BoolVar(&o.all, "all", false, "a row for every recipient, however many")
	f.register(c)
	box.register(c)
	return c
}

type queueRunFlags struct{ now, watch, waitLock, all bool }
