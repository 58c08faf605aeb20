package courier

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/route"
)

// Hosts is where a domain's mail goes.
type Hosts struct {
	// Key is the same for domains that have the same mail hosts with the same preferences; the
	// domain itself where its hosts are not known.
	Key  string
	List []route.Host  // nil where they are not known
	TTL  time.Duration // for how long this holds
}

// Hosts looks up the mail hosts of a domain. Where that fails, or the domain takes no mail, a
// Walk for the domain says why.
func (c *Courier) Hosts(ctx context.Context, domain string) Hosts {
	r, err := c.cfg.Resolver.Lookup(ctx, domain)
	if err != nil || r.Null || len(r.Hosts) == 0 {
		return Hosts{Key: domain}
	}
	return Hosts{Key: hostsKey(r.Hosts), List: r.Hosts, TTL: r.TTL}
}

// hostsKey names hosts with their preferences, in whatever order they are.
func hostsKey(hosts []route.Host) string {
	sorted := slices.SortedFunc(slices.Values(hosts), func(a, b route.Host) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), strings.Compare(a.Name, b.Name))
	})
	var b strings.Builder
	for _, h := range sorted {
		fmt.Fprintf(&b, "%d %s,", h.Preference, h.Name)
	}
	return b.String()
}
