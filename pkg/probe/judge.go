package probe

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/tlsauth"
)

// What a published policy comes to at one address.
const (
	factNone    = "none"
	factTesting = "testing"
	factOK      = "ok"
	factFail    = "fail"
	factUnknown = "unknown"
)

// judge holds what the addresses showed against what the domain publishes, and grades it.
func (res *Result) judge(facts *domainFacts, cfg *Config, now time.Time) {
	res.MTASTS, res.TLSRPT = stsOf(facts), facts.reports
	// A wrapped ErrNoRecord is a record that cannot be read or looked up: it may yet become one.
	none := facts.stsErr == mtasts.ErrNoRecord //nolint:errorlint // wrapped it means something else
	res.own = !none || slices.ContainsFunc(facts.hosts, hostFacts.demand)
	byName := map[string]*hostFacts{}
	for i := range facts.hosts {
		byName[facts.hosts[i].host.Name] = &facts.hosts[i]
	}
	for i := range res.MX {
		m := &res.MX[i]
		if len(m.chain) > 0 {
			m.Certificate = certificateOf(tlsauth.Describe(m.chain, m.Host, cfg.Roots, now), now)
		}
		m.DANE = dane(m, facts, byName[m.Host], now)
		m.MTASTS = sts(m, facts)
		res.Inconclusive = res.Inconclusive || m.inconclusive && !m.unreachable
		if m.Stripping = suspect(m, byName[m.Host], cfg.Past); m.Stripping != "" {
			res.Warnings = append(res.Warnings, m.warning())
		}
	}
	if facts.reportBy != nil {
		res.Warnings = append(res.Warnings, "its TLS-RPT record could not be looked up: "+mail.Clean(facts.reportBy.Error()))
	}
	res.Grade, res.GradeReasons = grade(res)
}

func certificateOf(f tlsauth.Facts, now time.Time) *Certificate {
	c := &Certificate{
		Subject: mail.Clean(f.Subject), Issuer: mail.Clean(f.Issuer), Names: make([]string, 0, len(f.Names)), NotAfter: f.NotAfter.UTC(),
		SHA256: f.SHA256, Key: f.Key, Trust: string(f.Trust), NameMatch: f.NameMatch, Expired: f.Expired,
		ok: f.OK(), days: int(f.NotAfter.Sub(now).Hours() / 24),
	}
	for _, n := range f.Names {
		c.Names = append(c.Names, mail.Clean(n))
	}
	var faults []string
	if f.Trust != tlsauth.TrustOK {
		faults = append(faults, string(f.Trust))
	}
	if f.Expired {
		faults = append(faults, "expired")
	}
	if f.NotYetValid {
		faults = append(faults, "not yet valid")
	}
	if !f.NameMatch {
		faults = append(faults, "wrong name")
	}
	c.problem = strings.Join(faults, ", ")
	return c
}

// dane judges an address by its host's TLSA records (RFC 7672).
func dane(m *MX, facts *domainFacts, h *hostFacts, now time.Time) string {
	switch {
	case h == nil || h.err != nil:
		return factUnknown
	case h.tlsaErr != nil:
		m.Evidence = append(m.Evidence, Evidence{Error: mail.Clean(h.tlsaErr.Error())})
		return factUnknown
	case len(h.tlsa)+h.skipped == 0:
		return factNone
	case m.StartTLS == NotOffered || m.neverTLS:
		return factFail
	}
	names := []string{facts.route.Domain, m.Host}
	for _, n := range []string{facts.route.CanonicalName, h.addrs.CanonicalName} {
		if n != "" && n != names[0] && n != names[1] {
			names = append(names, n)
		}
	}
	d := tlsauth.MatchTLSA(h.tlsa, m.chain, names, now)
	switch {
	case d.Usable == 0:
		// RFC 7672 §2.2: that demands encryption, and authenticates nobody.
		m.Evidence = append(m.Evidence, Evidence{Error: "DANE: " + d.Text})
		return factNone
	case d.OK:
		return factOK
	case len(m.chain) == 0:
		return factUnknown
	}
	m.Evidence = append(m.Evidence, Evidence{Error: "DANE: " + mail.Clean(d.Text)})
	return factFail
}

// sts judges an address by its domain's MTA-STS policy (RFC 8461 §4).
func sts(m *MX, facts *domainFacts) string {
	p := facts.sts.Policy
	switch {
	case errors.Is(facts.stsErr, mtasts.ErrNoRecord), facts.stsErr == nil && p.Mode == mtasts.None:
		return factNone
	case facts.stsErr != nil:
		return factUnknown
	case p.Mode == mtasts.Testing:
		return factTesting
	case !p.Matches(m.Host), m.StartTLS == NotOffered, m.neverTLS, m.Certificate != nil && !m.Certificate.ok:
		return factFail
	case m.Certificate == nil:
		return factUnknown
	}
	return factOK
}
