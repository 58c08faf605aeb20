package send_test

import (
	"testing"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// standard is what has to become of mail to each of the sandbox's standard domains, where
// certificates are demanded, where encryption is, and under an opportunistic profile.
func standard() map[string]map[way]want {
	three := func(strict_, hipaa_, newsletter_ want) map[way]want {
		return map[way]want{strict: strict_, hipaa: hipaa_, newsletter: newsletter_}
	}
	all := func(w want) map[way]want { return three(w, w, w) }
	forced := func(w, opportunistic want) map[way]want { return three(w, w, opportunistic) }
	verifying := func(r policy.Reason) map[way]want { return three(bounced(r, "550 5.7.5", ""), want{}, want{}) }
	plain := want{clear: true}
	return map[string]map[way]want{
		"tls13.test":       all(want{version: tlsnames.TLS13}),
		"tls12.test":       all(want{version: tlsnames.TLS12}),
		"tls10.test":       forced(bounced(policy.TLSVersionMismatch, "550 5.7.5", ""), want{version: tlsnames.TLS10}),
		"modern.test":      all(want{version: tlsnames.TLS13}),
		"clinic.test":      all(want{version: tlsnames.TLS13}),
		"plain.test":       forced(bounced(policy.StartTLSNotSupported, "550 5.7.10", ""), plain),
		"selfsigned.test":  verifying(policy.CertificateNotTrusted),
		"expired.test":     verifying(policy.CertificateExpired),
		"wrongname.test":   verifying(policy.CertificateHost),
		"refused-tls.test": forced(deferred(policy.StartTLSRefused, "454 4.7.4", ""), plain),
		"broken-tls.test":  forced(deferred(policy.TLSHandshakeFailed, "454 4.7.5", ""), plain),
		"inject.test":      all(deferred(policy.StartTLSInjection, "454 4.7.5", "")),
		"backup.test":      all(want{}),
		"mixed.test":       forced(want{}, plain),
		"greylist.test":    all(deferred(policy.Greylisted, "451 4.7.1", "")),
		"unknown.test":     all(bounced(policy.RecipientRejected, "550 5.1.1", "no such user")),
		"full.test":        all(deferred(policy.MailboxFull, "452 4.2.2", "mailbox full")),
		"toobig.test":      all(bounced(policy.MessageTooLarge, "552 5.3.4", "10240 octets")),
		"slow.test":        all(deferred(policy.ConnectTimeout, "451 4.4.1", "")),
		"hangup.test":      all(deferred(policy.ConnectionLost, "451 4.4.2", "")),
		"null.test":        all(bounced(policy.NullMX, "556 5.1.10", "")),
		"nomx.test":        all(want{}),
		"nxdomain.test":    all(bounced(policy.NoSuchDomain, "550 5.1.2", "")),
		"servfail.test":    all(deferred(policy.DNSFailure, "451 4.4.3", "")),
	}
}

// TestStandardDomains is T21: one batch to everything that the sandbox has; no word of it is
// in clear where it had to be encrypted.
func TestStandardDomains(t *testing.T) {
	t.Parallel()
	for _, w := range []way{strict, hipaa, newsletter} {
		t.Run("T21/"+string(w), func(t *testing.T) {
			t.Parallel()
			memory, err := sandbox.OpenGreylist("")
			if err != nil {
				t.Fatal(err)
			}
			l := newLab(t, plan{domains: sandbox.Standard(memory), timeouts: timeouts(briefGreeting)})
			wants := standard()
			var in []send.Input
			for _, d := range sandbox.Domains() {
				in = append(in, letter(d.Domain, 12_000, to(d.Domain, 2)...))
				if _, known := wants[d.Domain]; !known {
					t.Errorf("nothing is said about %s", d.Domain)
				}
			}
			r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, in...)
			if len(r.Rows) != 2*len(wants) {
				t.Errorf("%d rows", len(r.Rows))
			}
			for i := range r.Rows {
				wants[r.Rows[i].Recipient.Domain][w].check(t, r.Rows[i])
			}
			r.within(t, promptly)
		})
	}
}
