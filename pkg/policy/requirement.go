package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Source says who stated a duty.
type Source string

// The sources of duties.
const (
	SourceProfile Source = "profile"
	SourceRule    Source = "rule"
)

// Cause is one reason why a requirement is as it is, in words for people.
type Cause struct {
	Source Source `json:"source"`
	Name   string `json:"name"`
	Text   string `json:"text"`
}

// Requirement is the duties that one recipient's copy of one message must get: a product of
// independent duties, not a ladder. Each field is written as what it forbids or demands, so
// the zero value demands nothing and Join is a union field by field.
type Requirement struct {
	// Encrypt demands encrypted transport: not one byte of envelope or content in clear.
	Encrypt bool
	// BarredVersions must not be used.
	BarredVersions tlsnames.VersionSet
	// BarredSuites must not be used.
	BarredSuites tlsnames.SuiteSet
	// PublicRoots demands a certificate for the MX name that chains to the public roots.
	// Where Roots are given these take its place (narrower trust).
	PublicRoots bool
	// Roots demands a certificate for the MX name that chains to each of these sets; sorted by ID.
	Roots []Roots
	// OnFailure says what becomes of a recipient whose duties definitively cannot be met.
	OnFailure OnFailure
	// Because says who demanded what; it is no duty and not part of Key.
	Because []Cause
}

// Join is the strictest of both in every field: commutative, associative, idempotent and
// never weaker than either side.
func Join(a, b Requirement) Requirement {
	return Requirement{
		Encrypt:        a.Encrypt || b.Encrypt,
		BarredVersions: a.BarredVersions | b.BarredVersions,
		BarredSuites:   a.BarredSuites | b.BarredSuites,
		PublicRoots:    a.PublicRoots || b.PublicRoots,
		Roots:          sortedRoots(a.Roots, b.Roots),
		OnFailure:      max(a.OnFailure, b.OnFailure),
		Because:        joinCauses(a.Because, b.Because),
	}
}

func joinCauses(a, b []Cause) []Cause {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y Cause) int {
		return cmp.Or(compareText(string(x.Source), string(y.Source)), compareText(x.Name, y.Name), compareText(x.Text, y.Text))
	})
	return slices.Compact(all)
}

func compareText(a, b string) int { return strings.Compare(a, b) }

// Versions is the versions that are left: a family that the ciphers emptied takes its versions along.
func (r Requirement) Versions() tlsnames.VersionSet {
	v := tlsnames.AllVersions.Without(r.BarredVersions)
	left := tlsnames.AllSuites().Without(r.BarredSuites)
	if left.New() == 0 {
		v = v.Without(tlsnames.VersionsOf(tlsnames.TLS13))
	}
	if left.Old() == 0 {
		v &= tlsnames.VersionsOf(tlsnames.TLS13)
	}
	return v
}

// Suites is the suites that are left and that a version that is left can use.
func (r Requirement) Suites() tlsnames.SuiteSet {
	left, v := tlsnames.AllSuites().Without(r.BarredSuites), r.Versions()
	if !v.Has(tlsnames.TLS13) {
		left = left.Old()
	}
	if v.Without(tlsnames.VersionsOf(tlsnames.TLS13)) == 0 {
		left = left.New()
	}
	return left
}

// Certificate is what the requirement demands of the server's certificate.
func (r Requirement) Certificate() Certificate {
	switch {
	case len(r.Roots) > 0:
		return CertificateCustom
	case r.PublicRoots:
		return CertificateDefault
	}
	return CertificateNone
}

// Key identifies the duties without their causes: equal keys may share a session.
func (r Requirement) Key() string {
	ids := make([]string, len(r.Roots))
	for i, roots := range r.Roots {
		ids[i] = roots.ID
	}
	return keyOf(r.Encrypt, r.BarredVersions, r.BarredSuites, r.PublicRoots, strings.Join(ids, "+"), r.OnFailure)
}

func keyOf(parts ...any) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%v|", p)
	}
	return b.String()
}

// Conflict is the verdict on a requirement that nothing can meet, since those who stated it
// leave no version in common: refused before anything is dialled. It is satisfied where
// there is no conflict.
func (r Requirement) Conflict() Verdict {
	if !r.Encrypt || r.Versions() != 0 {
		return Verdict{}
	}
	reason := TLSVersionMismatch
	if r.BarredVersions != tlsnames.AllVersions {
		reason = TLSCipherMismatch
	}
	return Verdict{Reason: reason, Text: nothingLeft(reason) + ": " + r.Causes()}
}

func nothingLeft(r Reason) string {
	if r == TLSCipherMismatch {
		return "no cipher suite is left that all allow"
	}
	return "no TLS version is left that all allow"
}

// Causes joins the causes' texts for a sentence.
func (r Requirement) Causes() string {
	texts := make([]string, len(r.Because))
	for i, c := range r.Because {
		texts[i] = c.Text
	}
	return strings.Join(texts, "; ")
}

// Demands puts the duties in words, to be read after "demands": "encryption with TLSv1.2-1.3,
// a publicly trusted certificate for the MX host's name"; "nothing" where there are none.
func (r Requirement) Demands() string {
	if !r.Encrypt {
		return "nothing"
	}
	if v := r.Conflict(); !v.Satisfied() {
		return "encryption, but " + nothingLeft(v.Reason)
	}
	parts := []string{"encryption with " + r.Versions().String()}
	if suites := r.Suites(); suites.New() != tlsnames.TLS13Suites() && r.Versions().Has(tlsnames.TLS13) {
		parts = append(parts, "of TLS 1.3 only "+suites.New().String())
	}
	switch r.Certificate() {
	case CertificateDefault:
		parts = append(parts, "a publicly trusted certificate for the MX host's name")
	case CertificateCustom:
		names := make([]string, len(r.Roots))
		for i, roots := range r.Roots {
			names[i] = roots.Name
		}
		parts = append(parts, "a certificate for the MX host's name from "+strings.Join(names, " and "))
	case CertificateNone:
	}
	return strings.Join(parts, ", ")
}
