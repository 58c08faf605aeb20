package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/spool"
)

// askSpool asks something of the spool where there is one. Where there is no state the
// question does not make one.
func (a *app) askSpool(ask func(*spool.Spool) error) error {
	dir, err := config.FindState(a.configEnv())
	if err != nil {
		return configError(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "spool.db")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	store, err := spool.Open(dir, spool.Options{})
	if err != nil {
		return stateFault(err)
	}
	return stateFault(errors.Join(ask(store), store.Close()))
}

// refuseQueued refuses to take a profile away while mail waits under it.
func (a *app) refuseQueued(ctx context.Context, profile string) error {
	var used []string
	err := a.askSpool(func(s *spool.Spool) (err error) {
		used, err = s.ProfilesInUse(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if slices.Contains(used, profile) {
		return configf("send or cancel it first: sendctl queue list --profile "+profile, "mail that was accepted under profile %s is still queued", profile)
	}
	return nil
}

// ruleHits counts the recipients that each rule matched so far. A state that cannot be read
// must not keep anybody from seeing the rules.
func (a *app) ruleHits(ctx context.Context) map[string]int {
	var hits map[string]int
	err := a.askSpool(func(s *spool.Spool) (err error) {
		hits, err = s.RuleHits(ctx)
		return err
	})
	if err != nil {
		a.stderrOutput().Warn("what the rules matched so far is not known: "+err.Error(), hintOf(err))
	}
	return hits
}
