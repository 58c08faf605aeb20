package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/pkg/spool"
)

// historyFlags pick settled recipients.
type historyFlags struct {
	filterFlags
	cleartext    bool
	since, until string
	limit        int
	box          sandboxFlags
}

func (a *app) historyCommand() *cobra.Command {
	var f historyFlags
	c := &cobra.Command{
		Use:   "history",
		Short: "Show what was delivered, bounced or cancelled, with the TLS it got",
		Long: `Show every settled recipient: delivered, bounced or cancelled, with the TLS of the session, the
reason and the server's reply. Nothing of a message's content is kept.
` + queueStatusHelp,
		Example: `  sendctl history --since 24h
  sendctl history --domain example.com --status bounced
  sendctl history --cleartext -o csv`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSpool(&f.box, func(s *spool.Spool) error { return a.showHistory(c.Context(), s, &f) })
		},
	}
	f.register(c)
	fl := c.Flags()
	fl.BoolVar(&f.cleartext, "cleartext", false, "only what was delivered in clear")
	fl.StringVar(&f.since, "since", "", "only what was settled since this `time`: 24h, 2026-01-31 or 2026-01-31T09:00:00Z")
	fl.StringVar(&f.until, "until", "", "only what was settled before this `time`")
	fl.IntVar(&f.limit, "limit", 0, "the newest `N` only")
	f.box.register(c)
	return c
}

func (a *app) showHistory(ctx context.Context, s *spool.Spool, f *historyFlags) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	filter, err := f.filter(nil)
	if err != nil {
		return err
	}
	h := spool.HistoryFilter{Filter: filter, CleartextOnly: f.cleartext, Limit: f.limit, Newest: f.limit > 0}
	if h.Since, err = instant(f.since, a.now()); err != nil {
		return usagef("", "--since: %w", err)
	}
	if h.Until, err = instant(f.until, a.now()); err != nil {
		return usagef("", "--until: %w", err)
	}
	n, err := listed(out.History, s.History(ctx, h))
	if err != nil {
		return err
	}
	if n == 0 {
		return out.Line("nothing of that kind is recorded")
	}
	return nil
}

// instant reads a time: how long ago, a day, or an instant. "" is the zero time.
func instant(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}
