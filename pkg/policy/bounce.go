package policy

import "github.com/sendctl/sendctl/pkg/tlsnames"

// ForBounce decides for a bounce message about recipients with the given requirements. It
// demands encryption with TLS 1.2 or higher and any certificate where one of them demanded
// encryption: it carries no content, so certificates, roots and rules of the original do not
// apply to it. Where none did it goes opportunistically. It leaves from the given pool.
func ForBounce(failed []Requirement, pool string) Decision {
	d := Decision{
		Profile: NullProfile, Mode: ModeOpportunistic, Pool: pool,
		Offer: Offer{StartTLS: true, Versions: tlsnames.AllVersions, Suites: tlsnames.AllSuites()},
	}
	for _, r := range failed {
		if r.Encrypt {
			d.Mode = ModeForced
			d.Requirement = Requirement{
				Encrypt:        true,
				BarredVersions: tlsnames.VersionsOf(tlsnames.TLS10, tlsnames.TLS11),
				BarredSuites:   tlsnames.AllSuites().Without(tlsnames.SecureSuites()),
				OnFailure:      FailureBounce,
				Because:        []Cause{{SourceProfile, NullProfile, "the message that it is about demanded encryption"}},
			}
			break
		}
	}
	return d
}
