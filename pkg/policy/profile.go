// Package policy decides what protection a message needs and whether a session gives it.
//
// A sender profile and message rules each state a Requirement (duties that must be met) and
// a profile also an Offer (what is proposed, binding nobody). Join takes the strictest of
// several requirements field by field. What a session really got is its Protection, and
// Judge holds the two against each other. All of it is pure: no clock, no network, no files.
package policy

import (
	"slices"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Mode says how a profile treats transport security.
type Mode string

// The modes. ModeNone is only what an unset null profile amounts to.
const (
	ModeForced        Mode = "forced"
	ModeOpportunistic Mode = "opportunistic"
	ModeNone          Mode = "none"
)

// Certificate says what is demanded of the recipient server's certificate.
type Certificate string

// The certificate demands.
const (
	CertificateNone    Certificate = "none"    // nothing
	CertificateDefault Certificate = "default" // Mozilla's roots and the MX name
	CertificateCustom  Certificate = "custom"  // the roots of a file and the MX name
)

// OnFailure says what becomes of a recipient for whom TLS definitively cannot be had.
// Its order is that of strictness, so that the maximum wins when requirements are joined.
type OnFailure uint8

// The ways to end; the zero value means that nobody had a say.
const (
	FailureUnset OnFailure = iota
	FailureDefer
	FailureBounce
)

// String is "defer", "bounce" or "" for unset.
func (f OnFailure) String() string {
	return [...]string{FailureUnset: "", FailureDefer: "defer", FailureBounce: "bounce"}[f]
}

// Roots is a set of trust anchors that the user supplied.
type Roots struct {
	ID   string `json:"id"`   // SHA-256 of PEM in hexadecimal
	Name string `json:"name"` // the file's name, for people
	PEM  []byte `json:"pem"`
}

// ClientCertificate is what a profile presents to servers that ask for a certificate.
type ClientCertificate struct {
	ID   string // SHA-256 of certificate and key in hexadecimal
	Cert []byte // PEM, leaf first
	Key  []byte // PEM
}

// NullProfile is how the null profile is called wherever a name is shown or given.
const NullProfile = "-"

// Profile is a named transport-security level plus an IP pool (SPEC §2).
type Profile struct {
	Name        string
	Description string
	Pool        string
	Mode        Mode
	Versions    tlsnames.VersionSet
	Certificate Certificate
	Roots       *Roots // with CertificateCustom only
	// Ciphers is the list as written, read per protocol family: without a TLS 1.3 name all
	// TLS 1.3 suites are allowed, without an older name the default suites for 1.2 and older.
	Ciphers   []tlsnames.Suite
	Client    *ClientCertificate
	OnFailure OnFailure
}

// Suites is the suites that the profile allows, its cipher list read per protocol family.
// An empty list means what Go deems secure; a forced profile that allows TLS 1.0 or 1.1, and
// every opportunistic one, takes Go's legacy suites too, for weak encryption beats none.
func (p *Profile) Suites() tlsnames.SuiteSet {
	list := tlsnames.SuitesOf(p.Ciphers...)
	old, modern := list.Old(), list.New()
	if modern == 0 {
		modern = tlsnames.TLS13Suites()
	}
	if old == 0 {
		old = tlsnames.SecureSuites().Old()
		if p.Mode == ModeOpportunistic || p.Versions.Min() < tlsnames.TLS12 {
			old = tlsnames.AllSuites().Old()
		}
	}
	return old | modern
}

// Requirement is the profile's duties: none for an opportunistic profile.
func (p *Profile) Requirement() Requirement {
	cause := []Cause{{Source: SourceProfile, Name: p.Name, Text: p.describe()}}
	if p.Mode != ModeForced {
		return Requirement{Because: cause}
	}
	req := p.duties()
	req.Because = cause
	return req
}

// duties is what a forced profile demands, without a cause, so that a rule may demand it too.
func (p *Profile) duties() Requirement {
	req := Requirement{
		Encrypt:        true,
		BarredVersions: tlsnames.AllVersions.Without(p.Versions),
		BarredSuites:   tlsnames.AllSuites().Without(p.Suites()),
		OnFailure:      p.OnFailure,
	}
	if p.OnFailure == FailureUnset {
		req.OnFailure = FailureBounce
	}
	switch p.Certificate {
	case CertificateDefault:
		req.PublicRoots = true
	case CertificateCustom:
		req.Roots = []Roots{*p.Roots}
	case CertificateNone:
	}
	return req
}

// Offer is what the profile proposes to servers.
func (p *Profile) Offer() Offer {
	return Offer{
		StartTLS: p.Mode != ModeNone,
		Versions: p.Versions,
		Suites:   p.Suites(),
		Client:   p.Client,
	}
}

func (p *Profile) describe() string {
	if p.Mode == ModeOpportunistic {
		return "profile " + p.Name + " encrypts where the recipient's server can and sends in clear where it cannot"
	}
	return "profile " + p.Name + " demands " + p.duties().Demands()
}

// Offer is what a session proposes: it binds nobody and is replaced where a Requirement
// demands encryption (see Propose). The zero value proposes no TLS at all.
type Offer struct {
	StartTLS bool
	Versions tlsnames.VersionSet
	Suites   tlsnames.SuiteSet
	Client   *ClientCertificate
}

// Key identifies the offer: equal keys may share connections.
func (o Offer) Key() string {
	client := ""
	if o.Client != nil {
		client = o.Client.ID
	}
	return keyOf(o.StartTLS, o.Versions, o.Suites, client)
}

// Propose is what to put on the wire: the offer, save that where the requirement demands
// encryption its versions and suites take the offer's place.
func Propose(req Requirement, offer Offer) Offer {
	if !req.Encrypt {
		return offer
	}
	return Offer{StartTLS: true, Versions: req.Versions(), Suites: req.Suites(), Client: offer.Client}
}

// sortedRoots joins two sets of user-supplied roots by ID.
func sortedRoots(a, b []Roots) []Roots {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y Roots) int {
		if x.ID != y.ID {
			return compareText(x.ID, y.ID)
		}
		return compareText(x.Name, y.Name)
	})
	return slices.CompactFunc(all, func(x, y Roots) bool { return x.ID == y.ID })
}
