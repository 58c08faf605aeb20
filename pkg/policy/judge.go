package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Finding is what verifying a certificate chain against one set of roots came to: OK, or
// what is at fault. The zero value is a certificate that nobody verified, which never counts as OK.
type Finding struct {
	OK      bool
	Reason  Reason
	Passing bool // waiting may cure it: a certificate that is not valid yet
	Text    string
}

// PeerCertificate is the facts of the certificate that the server presented, and what each
// verification of it came to. In every mode it is verified, whether or not that is demanded.
type PeerCertificate struct {
	SHA256   string // of the leaf's DER, in hexadecimal; "" where the server presented none
	Subject  string
	NotAfter time.Time
	Public   Finding            // against the public roots
	Custom   map[string]Finding // against user-supplied roots, by Roots.ID
}

// Verification names how a server's identity was established.
type Verification string

// The ways to be verified.
const (
	VerifiedNone Verification = "none"
	VerifiedPKIX Verification = "pkix"
)

// Protection is what a session really got. The zero value is a session in clear.
type Protection struct {
	Encrypted   bool
	Version     tlsnames.Version
	Suite       tlsnames.Suite
	Group       tlsnames.Group
	Resumed     bool
	Certificate PeerCertificate
}

// Verified tells how the server's identity was established under a requirement, and what
// was wrong where it was not.
func (p Protection) Verified(req Requirement) (Verification, string) {
	if !p.Encrypted {
		return VerifiedNone, ""
	}
	if f := p.finding(req); !f.OK {
		return VerifiedNone, f.Text
	}
	return VerifiedPKIX, ""
}

// finding is the first of the demanded verifications that failed; the public roots where none is demanded.
func (p Protection) finding(req Requirement) Finding {
	for _, roots := range req.Roots {
		if f := p.Certificate.Custom[roots.ID]; !f.OK {
			return f.named()
		}
	}
	if len(req.Roots) > 0 {
		return Finding{OK: true}
	}
	return p.Certificate.Public.named()
}

// named gives a finding that nobody made its reason.
func (f Finding) named() Finding {
	if !f.OK && f.Reason == "" {
		return Finding{Reason: CertificateNotTrusted, Text: "the certificate was not verified"}
	}
	return f
}

// Verdict is what Judge comes to. The zero value is a satisfied requirement.
type Verdict struct {
	Reason  Reason
	Passing bool // waiting may cure it
	Text    string
}

// Satisfied reports whether every duty is met.
func (v Verdict) Satisfied() bool { return v.Reason == "" }

// Judge holds what a session got against what is required. It runs before MAIL, so that not
// even the envelope leaves under a requirement that is not met.
func Judge(req Requirement, got Protection) Verdict {
	if !req.Encrypt {
		return Verdict{}
	}
	if !got.Encrypted {
		return Verdict{Reason: StartTLSNotSupported, Text: "the session is not encrypted"}
	}
	if v := req.Versions(); !v.Has(got.Version) {
		return Verdict{Reason: TLSVersionMismatch, Text: fmt.Sprintf("the server chose %s, allowed is %s", got.Version, v)}
	}
	if s := req.Suites(); !s.Has(got.Suite) {
		return Verdict{Reason: TLSCipherMismatch, Text: fmt.Sprintf("the server chose %s, allowed for %s is %s",
			got.Suite, got.Version, strings.Join(ofFamily(s, got.Version).Names(), ", "))}
	}
	if req.Certificate() != CertificateNone {
		if f := got.finding(req); !f.OK {
			return Verdict{f.Reason, f.Passing, f.Text}
		}
	}
	return Verdict{}
}

func ofFamily(s tlsnames.SuiteSet, v tlsnames.Version) tlsnames.SuiteSet {
	if v == tlsnames.TLS13 {
		return s.New()
	}
	return s.Old()
}
