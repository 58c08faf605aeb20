package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// maxDeep bounds the connections to one address with --deep. What is not done then is left out,
// and Complete says so.
const maxDeep = 120

// Deep is what an address shows to those who ask it much.
type Deep struct {
	SSLv2 Answer `json:"SSLv2"`
	SSLv3 Answer `json:"SSLv3"`
	// Suites by version, in the order in which the server picks them.
	Suites map[string][]string `json:"suites"`
	// Preference says whose order counts, by version: server, client or unknown.
	Preference map[string]string `json:"preference"`
	// Groups of TLS 1.3 in the order in which the server picks them, and OlderGroups of the newest
	// version before it.
	Groups      []string `json:"groups"`
	OlderGroups []string `json:"older_groups"`
	// Fallback: it notices a client that was made to fall back (RFC 7507).
	Fallback Answer `json:"fallback_scsv"`
	Complete bool   `json:"complete"`
}

// digger asks one address much.
type digger struct {
	a    *asker
	mu   sync.Mutex
	left int
	out  Deep
}

// deep asks an address for everything. Versions go at the same time; the limit on connections
// at once holds here too.
func (a *asker) deep(ctx context.Context, o *observation) *Deep {
	d := &digger{a: a, left: maxDeep, out: Deep{
		Suites: map[string][]string{}, Preference: map[string]string{}, Groups: []string{}, OlderGroups: []string{},
		Complete: true, Fallback: Unknown,
	}}
	var wg sync.WaitGroup
	wg.Go(func() { d.old(ctx) })
	older := tlsnames.Version(0)
	for _, v := range tlsnames.Versions() {
		if x := o.versions[v.String()]; x != Yes && x != Unusable {
			continue
		}
		wg.Go(func() { d.suites(ctx, v) })
		if v < tlsnames.TLS13 {
			older = v
			continue
		}
		wg.Go(func() { d.groups(ctx) })
	}
	if older != 0 {
		wg.Go(func() { d.olderGroups(ctx, older, curveOf(o.chain)) })
	}
	wg.Go(func() { d.fallback(ctx, o.versions) })
	wg.Wait()
	return &d.out
}

// ask sends a hello; false where that is not to be done, or brought nothing.
func (d *digger) ask(ctx context.Context, octets []byte) (reply, bool) {
	return d.send(ctx, octets, false)
}

func (d *digger) send(ctx context.Context, octets []byte, group bool) (reply, bool) {
	d.mu.Lock()
	d.left--
	over := d.left < 0
	if over {
		d.out.Complete = false
	}
	d.mu.Unlock()
	if over || ctx.Err() != nil {
		return reply{}, false
	}
	r := d.a.sendHello(ctx, octets, group)
	if r.failure != nil || r.err != nil {
		d.mu.Lock()
		d.out.Complete = d.out.Complete && !r.stop && r.failure == nil
		d.mu.Unlock()
		return r, false
	}
	return r, true
}

// old asks for SSLv2 and SSLv3.
func (d *digger) old(ctx context.Context) {
	judge := func(v tlsnames.Version, octets []byte) Answer {
		r, ok := d.ask(ctx, octets)
		switch {
		case ok && r.answer.Version == v:
			return Unusable // nobody here speaks it
		case ok, r.failure == nil && r.err != nil && !r.stop && !errors.Is(r.err, errTooSlow):
			return No // refused, or the connection closed: servers that do not know it cannot say so
		}
		return Unknown
	}
	random := d.a.p.cfg.Random()
	three := judge(hello.SSL3, hello.New(hello.SSL3, d.a.host, random).Bytes())
	two := judge(hello.SSL2, hello.SSL2Bytes([16]byte(random[:16])))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.SSLv3, d.out.SSLv2 = three, two
}

// suites lists a version's suites by elimination: what the server picks is not offered again.
func (d *digger) suites(ctx context.Context, v tlsnames.Version) {
	h := hello.New(v, d.a.host, d.a.p.cfg.Random())
	h.Min, h.Suites = v, tlsnames.KnownSuites(v)
	var found []tlsnames.Suite
	for len(h.Suites) > 0 {
		r, ok := d.ask(ctx, h.Bytes())
		i := slices.Index(h.Suites, r.answer.Suite)
		if !ok || r.answer.Version != v || i < 0 {
			break
		}
		found = append(found, r.answer.Suite)
		h.Suites = slices.Delete(h.Suites, i, i+1)
	}
	preference := string(Unknown)
	if len(found) > 1 {
		// Offered the other way round: a server with an order of its own picks the same again.
		h.Suites = []tlsnames.Suite{found[len(found)-1], found[0]}
		if r, ok := d.ask(ctx, h.Bytes()); ok && r.answer.Suite == found[0] {
			preference = "server"
		} else if ok && r.answer.Suite == h.Suites[0] {
			preference = "client"
		}
	}
	names := []string{}
	for _, s := range found {
		names = append(names, s.String())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.Suites[v.String()], d.out.Preference[v.String()] = names, preference
}

// groups lists the groups of TLS 1.3 by what HelloRetryRequest asks for.
func (d *digger) groups(ctx context.Context) {
	h := hello.New(tlsnames.TLS13, d.a.host, d.a.p.cfg.Random())
	h.Min = tlsnames.TLS13
	names := []string{}
	for len(h.Groups) > 0 {
		r, ok := d.ask(ctx, h.Bytes())
		i := slices.Index(h.Groups, r.answer.Group)
		if !ok || r.answer.Kind != hello.HelloRetryRequest || i < 0 {
			break
		}
		names = append(names, r.answer.Group.String())
		h.Groups = slices.Delete(h.Groups, i, i+1)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.Groups = names
}

// olderGroups lists the groups of a version before TLS 1.3, as ServerKeyExchange names them. There
// the groups on offer are those too that the server's certificate may be of (RFC 8422 §5.1.1): its
// own curve stays on offer, last, until the server picks it a second time.
func (d *digger) olderGroups(ctx context.Context, v tlsnames.Version, certificate tlsnames.Group) {
	h := hello.New(v, d.a.host, d.a.p.cfg.Random())
	h.Min = v
	h.Suites = slices.DeleteFunc(h.Suites, func(s tlsnames.Suite) bool { return !strings.Contains(s.String(), "_ECDH") })
	names := []string{}
	for len(h.Groups) > 0 {
		r, ok := d.send(ctx, h.Bytes(), true)
		i := slices.Index(h.Groups, r.answer.Group)
		if !ok || r.answer.Version != v || i < 0 || slices.Contains(names, r.answer.Group.String()) {
			break
		}
		names = append(names, r.answer.Group.String())
		h.Groups = slices.Delete(h.Groups, i, i+1)
		if r.answer.Group == certificate {
			h.Groups = append(h.Groups, certificate)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.OlderGroups = names
}

// curveOf is the group of a certificate's own key, zero for none.
func curveOf(chain []*x509.Certificate) tlsnames.Group {
	if len(chain) == 0 {
		return 0
	}
	key, ok := chain[0].PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return 0
	}
	return map[string]tlsnames.Group{"P-256": 23, "P-384": 24, "P-521": 25}[key.Curve.Params().Name]
}

// fallback asks, where there are two versions, whether a needless fallback is noticed.
func (d *digger) fallback(ctx context.Context, versions map[string]Answer) {
	var have []tlsnames.Version
	for _, v := range tlsnames.Versions() {
		if versions[v.String()] == Yes {
			have = append(have, v)
		}
	}
	if len(have) < 2 {
		return
	}
	h := hello.New(have[len(have)-2], d.a.host, d.a.p.cfg.Random())
	h.Fallback = true
	r, ok := d.ask(ctx, h.Bytes())
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case ok && r.answer.Kind == hello.Alert && r.answer.Alert == 86:
		d.out.Fallback = Yes
	case ok && r.answer.Kind != hello.Alert:
		d.out.Fallback = No
	}
}
