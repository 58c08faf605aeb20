package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/spool"
)

// spoolFile is the store in a state directory: where it is missing nothing was ever sent, and a
// probe does not make one.
const spoolFile = "spool.db"

// maxPast bounds how many of the newest deliveries a probe looks through.
const maxPast = 50_000

// overTLS is when mail last went to a host over TLS, and by which version.
type overTLS struct {
	last    time.Time
	version string
}

// past tells what the record says of earlier deliveries. It is read when the first host is found
// without TLS, which for the most part is never.
func (a *app) past(ctx context.Context, cfg *config.Config, box *sandboxNetwork) probe.Past {
	read := sync.OnceValue(func() map[string]overTLS {
		hosts, err := a.deliveries(ctx, cfg, box)
		if err != nil {
			a.stderrOutput().Warn(fmt.Sprintf("whether hosts without TLS had it in earlier deliveries is not known: %v", err), hintOf(err))
		}
		return hosts
	})
	return func(host string) (time.Time, string, bool) {
		found, ok := read()[host]
		return found.last, found.version, ok
	}
}

// deliveries lists, by host, the newest delivery over TLS.
func (a *app) deliveries(ctx context.Context, cfg *config.Config, box *sandboxNetwork) (map[string]overTLS, error) {
	dir, err := a.stateDir(box)
	if err != nil {
		return nil, nil // HOME is not set: there is no state
	}
	if _, err := os.Stat(filepath.Join(dir, spoolFile)); err != nil {
		return nil, nil // nothing was sent from here
	}
	store, err := a.openSpool(cfg, box)
	if err != nil {
		return nil, err
	}
	hosts := map[string]overTLS{}
	newest := spool.HistoryFilter{Filter: spool.Filter{Statuses: []delivery.Status{delivery.Delivered}}, Newest: true, Limit: maxPast}
	for row, err := range store.History(ctx, newest) {
		if err != nil {
			_ = store.Close()
			return hosts, err
		}
		s := row.Recipient.Outcome.Session
		if s == nil || !s.Protection.Encrypted {
			continue
		}
		if _, known := hosts[s.MX]; !known {
			hosts[s.MX] = overTLS{row.Settled, s.Protection.Version.String()}
		}
	}
	return hosts, store.Close()
}
