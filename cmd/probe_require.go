package cmd

import (
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// requirement is one word of --require: what every MX must have.
type requirement string

// The requirements, beside those on versions.
const (
	requireCert = "valid-cert"
	requireDANE = "dane"
	requireSTS  = "mta-sts"
)

// requirements lists the words of --require. tls1.2 means that version or a newer one.
func requirements() []string {
	return []string{"tls1.0", "tls1.1", "tls1.2", "tls1.3", requireCert, requireDANE, requireSTS}
}

func parseRequirements(list string) ([]requirement, error) {
	var out []requirement
	for _, word := range strings.Split(list, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "":
		case !slices.Contains(requirements(), word):
			return nil, usagef("known are "+strings.Join(requirements(), ", "), "--require: %q is not known", word)
		default:
			out = append(out, requirement(word))
		}
	}
	return out, nil
}

// fact is whether a requirement is met.
type fact uint8

const (
	met fact = iota
	unmet
	unsure
)

// of says whether an address meets the requirement.
func (r requirement) of(m *probe.MX) fact {
	switch r {
	case requireCert:
		if m.Certificate == nil {
			return without(m)
		}
		if c := m.Certificate; c.Trust == "ok" && c.NameMatch && !c.Expired {
			return met
		}
		return unmet
	case requireDANE:
		return published(m.DANE)
	case requireSTS:
		return published(m.MTASTS)
	}
	if m.StartTLS == probe.NotOffered {
		return unmet // TLS that was found without being offered is used by nobody
	}
	result := unmet
	for _, v := range tlsnames.Versions() {
		if v.String() < "TLSv"+strings.TrimPrefix(string(r), "tls") {
			continue
		}
		switch m.Versions[v.String()] {
		case probe.Yes:
			return met
		case probe.Unknown:
			result = without(m)
		case probe.No, probe.Unusable:
		}
	}
	return result
}

// without is what a host comes to of which the thing in question is not known: unsure, unless
// it is plain that it has no TLS.
func without(m *probe.MX) fact {
	if m.StartTLS == probe.Unasked || m.StartTLS == probe.Offered {
		return unsure
	}
	return unmet
}

func published(what string) fact {
	switch what {
	case "ok":
		return met
	case "unknown":
		return unsure
	}
	return unmet
}

// missing lists the requirements that an address does not meet, and whether one is unsure.
func missing(m *probe.MX, wanted []requirement) (not []string, doubt bool) {
	for _, r := range wanted {
		switch r.of(m) {
		case unmet:
			not = append(not, string(r))
		case unsure:
			doubt = true
		case met:
		}
	}
	return not, doubt
}

// statusOfProbe is the exit status (SPEC §6: the first of 69, 68, 75 and 0 that applies).
func statusOfProbe(results []*probe.Result, wanted []requirement) error {
	var bounces, nomail, later bool
	for _, r := range results {
		nomail = nomail || r.NoMail
		for i := range r.MX {
			not, doubt := missing(&r.MX[i], wanted)
			bounces, later = bounces || len(not) > 0, later || doubt
		}
		if len(r.Verdicts) == 0 {
			later = later || r.Inconclusive
		}
		for _, v := range r.Verdicts {
			// A domain that takes no mail at all is told by 68, not by what each profile makes of it.
			bounces = bounces || v.Verdict == probe.Bounce && !r.NoMail
			later = later || v.Verdict == probe.Defer
		}
	}
	switch {
	case bounces:
		return outcome(exitBounced)
	case nomail:
		return outcome(exitNoDomain)
	case later:
		return outcome(exitDeferred)
	}
	return nil
}
