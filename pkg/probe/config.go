package probe

import (
	"context"
	"crypto/x509"
	"net/netip"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// Resolver is the part of *route.Resolver that a prober needs.
type Resolver interface {
	courier.Resolver
	TLSA(ctx context.Context, host string, port uint16) (route.TLSASet, error)
	TXT(ctx context.Context, name string) (route.TextSet, error)
}

// Profile is one sender profile whose verdict is wanted.
type Profile struct {
	Name        string
	Requirement policy.Requirement
	Offer       policy.Offer
	Pool        string
}

// Config is everything that a prober is made of.
type Config struct {
	Resolver Resolver
	// Courier gives the profiles' verdicts. Its Dial is to be that of the same Limiter, so that
	// an address is not asked by more connections than is polite.
	Courier *courier.Courier
	Dial    courier.Dial // a Limiter's
	Port    uint16
	Session smtp.Options     // its Clock is the prober's
	Sources []courier.Source // the addresses to ask from; none: the system's choice
	// Hostname is what EHLO says from there.
	Hostname string
	Roots    *x509.CertPool
	// Policy fetches a domain's MTA-STS policy; nil: it is not asked for.
	Policy func(ctx context.Context, domain string) (mtasts.Fetched, error)
	// Past tells of earlier deliveries; nil: nothing is known of any.
	Past         Past
	AllowPrivate bool
	// Random makes the 32 octets of a ClientHello.
	Random func() [32]byte
	// Pause is how long a host that says 421 or another 4yz is left alone before the one other try.
	Pause time.Duration
	// PerDomain bounds the time for one domain.
	PerDomain time.Duration
	// Deep asks for SSLv2 and SSLv3, every suite with the server's order, and every group, too.
	Deep bool
	// Profiles whose verdicts are wanted; EachHost asks for the verdict on every address of a
	// domain beside the one on the domain.
	Profiles []Profile
	EachHost bool
}

// Prober asks domains. It is safe for concurrent use, and remembers addresses and verdicts
// for its own lifetime.
type Prober struct {
	cfg       Config
	mu        sync.Mutex
	addresses map[netip.Addr]*shared
	verdicts  map[string]*foretold
}

// New makes a prober.
func New(cfg Config) *Prober {
	return &Prober{cfg: cfg, addresses: map[netip.Addr]*shared{}, verdicts: map[string]*foretold{}}
}

func (p *Prober) now() time.Time { return p.cfg.Session.Clock() }
