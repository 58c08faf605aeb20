package cmd

import (
	"context"
	"errors"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/spool"
)

func (a *app) runQueue(ctx context.Context, f *filterFlags, box *sandboxFlags, o queueRunFlags, ids []string) error {
	filter, err := f.filter(ids)
	if err != nil {
		return err
	}
	cfg, err := a.configuration()
	if err != nil {
		return err
	}
	e, err := a.engine(cfg, box, true)
	if err != nil {
		return err
	}
	err = a.locked(ctx, e, o.waitLock, func() error {
		opts := send.RunOptions{
			Filter: filter, Now: o.now, Watch: o.watch, MaxRun: cfg.Settings.Delivery.MaxRun,
		}
		if o.watch {
			opts.MaxRun = 0
		}
		out, err := a.output()
		if err != nil {
			return err
		}
		out.All(o.all)
		report := send.Run(ctx, e.Config, currentPolicy(cfg), opts)
		report.Profile = f.profile
		err = a.finish(e, report, ctx.Err() != nil)
		if err == nil {
			err = a.leftOver(ctx, e.Spool)
		}
		return err
	})
	if closing := e.close(); closing != nil {
		return closing
	}
	return err
}

// locked runs something as the only queue run at work.
func (a *app) locked(ctx context.Context, e *engine, wait bool, run func() error) error {
	lock, err := e.Spool.LockRun(ctx, wait)
	if errors.Is(err, spool.ErrRunning) {
		e.progress.Done()
		if !a.flags.quiet {
			a.stderrOutput().Warn("another queue run is at work", "--wait-lock waits for it")
		}
		return outcome(exitDeferred)
	}
	if err != nil {
		return stateFault(err)
	}
	err = run()
	if unlocking := lock.Unlock(); err == nil && unlocking != nil {
		return stateFault(unlocking)
	}
	return err
}

// leftOver is 75 while something still waits.
func (a *app) leftOver(ctx context.Context, s *spool.Spool) error {
	counts, err := s.Counts(context.WithoutCancel(ctx))
	if err != nil {
		return stateFault(err)
	}
	if counts.Recipients > 0 {
		return outcome(exitDeferred)
	}
	return nil
}

// currentPolicy is what the configuration says now of mail that was accepted earlier.
func currentPolicy(cfg *config.Config) send.Current {
	rules := cfg.PolicyRules()
	type known struct {
		decider *policy.Decider
		there   bool
	}
	profiles := map[string]known{} // a run claims from one goroutine only
	c := send.Current{Decide: func(profile string, facts policy.Facts, rcpt mail.Address) (*policy.Decision, bool) {
		k, ok := profiles[profile]
		if !ok {
			sender, there := currentSender(cfg, profile)
			k = known{policy.NewDecider(sender, rules), there}
			profiles[profile] = k
		}
		return k.decider.For(facts, rcpt), k.there
	}}
	for _, r := range rules {
		if r.Enabled && (len(r.From) > 0 || len(r.Subject) > 0) {
			c.NeedsHeader = true
		}
	}
	return c
}

// currentSender is what a profile that mail was accepted under is now; false where it is gone.
func currentSender(cfg *config.Config, name string) (policy.Sender, bool) {
	sender := policy.Sender{Name: name}
	meant := name
	if name == policy.NullProfile {
		if meant = cfg.Settings.NullProfile; meant == "" {
			return sender, true
		}
	}
	p, ok := cfg.Profile(meant)
	if ok {
		sender.Profile = &p.Profile
	}
	return sender, ok
}
