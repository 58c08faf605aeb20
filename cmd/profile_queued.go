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

// refuseQueued refuses to take a profile away while mail waits under it. Where there is no
// state nothing waits, and none is made for the question.
func (a *app) refuseQueued(ctx context.Context, profile string) error {
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
	used, err := store.ProfilesInUse(ctx)
	if err := stateFault(errors.Join(err, store.Close())); err != nil {
		return err
	}
	if slices.Contains(used, profile) {
		return configf("send or cancel it first: sendctl queue list --profile "+profile, "mail that was accepted under profile %s is still queued", profile)
	}
	return nil
}
