package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// failing is a resolver that cannot look up one name's TXT records.
type failing struct {
	probe.Resolver
	name string
}

func (r failing) TXT(ctx context.Context, name string) (route.TextSet, error) {
	if name == r.name {
		return route.TextSet{}, errors.New("SERVFAIL")
	}
	return r.Resolver.TXT(ctx, name)
}

// Domains at one provider share a verdict, save those that publish demands of their own, or may
// do so.
func TestVerdictsAreShared(t *testing.T) {
	t.Parallel()
	const domains = 5
	const dane = "_25._tcp.mx.provider.test. IN TLSA "
	for name, tt := range map[string]struct {
		zone   string
		edit   func(*probe.Config)
		tlsa   string
		walks  int // of the host loop, in all
		signed bool
	}{
		"nothing published": {walks: 1},
		"MTA-STS of two":    {zone: "_mta-sts.d1.test. IN TXT \"v=STSv1; id=1;\"\n_mta-sts.d3.test. IN TXT \"v=STSv1; id=2;\"\n", walks: 3},
		"a broken record":   {zone: "_mta-sts.d1.test. IN TXT \"v=STSv1;\"\n", walks: 2},
		"another TXT":       {zone: "_mta-sts.d1.test. IN TXT \"v=spf1 -all\"\n", walks: 1},
		"not to be had":     {edit: func(c *probe.Config) { c.Resolver = failing{c.Resolver, "_mta-sts.d2.test"} }, walks: 2},
		"DANE":              {tlsa: dane + "3 1 1 " + strings.Repeat("ab", 32), signed: true, walks: domains},
		"unusable DANE":     {tlsa: dane + "1 1 1 " + strings.Repeat("ab", 32), signed: true, walks: domains},
		"signed, no DANE":   {signed: true, walks: 1},
	} {
		for _, preflight := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", preflight ", preflight), func(t *testing.T) {
				t.Parallel()
				zone := tt.zone
				for i := range domains {
					zone += fmt.Sprintf("d%d.test. IN MX 10 mx.provider.test.\n", i)
				}
				parsed, err := sandbox.ParseZone(zone)
				if err != nil {
					t.Fatal(err)
				}
				if tt.signed {
					parsed.Authentic = func(string) bool { return true }
				}
				w := newWorld(t, sandbox.Options{Domains: []sandbox.Domain{{Name: "provider.test", Hosts: []sandbox.Host{{}}}}, Zone: parsed}, nil)
				if tt.tlsa != "" {
					w.cfg.Resolver = resolving(w.cfg.Resolver, tt.tlsa)
				}
				if tt.edit != nil {
					tt.edit(&w.cfg)
				}
				connections := tt.walks
				if preflight {
					walkAll(t, w, domains)
				} else {
					w.cfg.Policy = (&mtasts.Fetcher{TXT: textsOf(w.cfg.Resolver), Addresses: nowhere, Clock: w.cfg.Session.Clock}).Fetch
					probeAll(t, w, domains)
					connections += 3 // for the versions
				}
				if n := w.box.Servers()[0].Connected(); n != connections {
					t.Errorf("%d connections, want %d", n, connections)
				}
			})
		}
	}
}

func textsOf(r probe.Resolver) func(context.Context, string) ([]string, error) {
	return func(ctx context.Context, name string) ([]string, error) {
		set, err := r.TXT(ctx, name)
		return set.Texts, err
	}
}

// nowhere: the policy hosts have no address, so that no policy can be had.
func nowhere(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("NXDOMAIN") }

func walkAll(t *testing.T, w *world, domains int) {
	t.Helper()
	var all []probe.Recipient
	for i := range domains {
		d := fmt.Sprintf("d%d.test", i)
		all = append(all, probe.Recipient{Address: "a@" + d, Profile: "p", Destination: courier.Destination{Domain: d, Requirement: policy.Requirement{Encrypt: true}}})
	}
	if c := probe.Cover(probe.New(w.cfg).Preflight(t.Context(), all, probe.Memory{}, nil)); c.Encrypted != domains {
		t.Errorf("%s", c)
	}
}

func probeAll(t *testing.T, w *world, domains int) {
	t.Helper()
	w.cfg.Profiles = []probe.Profile{{Name: "p", Requirement: policy.Requirement{Encrypt: true}}}
	p := probe.New(w.cfg)
	for i := range domains {
		if r := p.Domain(t.Context(), fmt.Sprintf("d%d.test", i)); len(r.Verdicts) != 1 || r.Verdicts[0].Verdict != probe.ByTLS {
			t.Errorf("%+v", r)
		}
	}
}
