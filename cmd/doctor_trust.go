package cmd

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
)

// buildTime is a time that is past for sure: that of the commit this program was built from,
// else that of the Go release which first could build it.
func buildTime() time.Time {
	built := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return built
	}
	for _, s := range info.Settings {
		if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil && t.After(built) {
			built = t
		}
	}
	return built
}

// clockSlack is how far a clock may be behind the machine that committed what was built.
const clockSlack = 24 * time.Hour

// clockCheck holds that the clock is not behind this program's own making, and that somebody
// keeps it right: certificates are judged by it, and mail expires by it (F14).
func (p *patient) clockCheck() finding {
	c := checkOf{"clock", exitDeferred}
	now := p.now().UTC()
	says := now.Format(time.RFC3339)
	const set = "set it, and have chrony or systemd-timesyncd keep it right"
	switch behind := p.earlier.Sub(now); {
	case behind > clockSlack:
		return c.is(verdictFault, says+", which is before this program was made ("+p.earlier.UTC().Format(time.DateOnly)+")", set)
	case now.Year() > p.earlier.Year()+20:
		return c.is(verdictFault, says+", which is decades after this program was made", set)
	}
	synchronised, known := p.clock()
	switch {
	case !known:
		return c.is(verdictUnknown, says+"; the system does not tell whether anything keeps it right", "")
	case !synchronised:
		return c.is(verdictWarning, says+", and nothing keeps it right, as far as the kernel knows", "have chrony or systemd-timesyncd keep it right")
	}
	return c.ok("%s, kept right by time synchronisation", says)
}

// nearExpiry is how long before its end a certificate is warned of.
const nearExpiry = 30 * 24 * time.Hour

// certificates looks at what profiles name: client certificates and the roots of ca_file.
func (p *patient) certificates(context.Context) []finding {
	var found []finding
	for i := range p.cfg.Profiles {
		profile := &p.cfg.Profiles[i]
		if profile.Client != nil {
			found = append(found, p.clientCertificate(profile))
		}
		if profile.Roots != nil {
			found = append(found, p.customRoots(profile))
		}
	}
	if len(found) == 0 {
		found = append(found, checkOf{"certificates", exitConfig}.ok("no profile names any"))
	}
	return found
}

func (p *patient) clientCertificate(profile *config.Profile) finding {
	c := checkOf{"client certificate of " + profile.Name, exitConfig}
	file := mail.Clean(profile.ClientCertificateFile)
	certs := parsePEM(profile.Client.Cert)
	if len(certs) == 0 {
		return c.is(verdictUnknown, file+" cannot be read again", "")
	}
	const renew = "renew it: servers that ask for one will refuse it"
	leaf := certs[0]
	switch {
	case p.now().Before(leaf.NotBefore):
		return c.is(verdictFault, file+" is not valid before "+day(leaf.NotBefore), "check the clock, or use the previous one until then")
	case !p.now().Before(leaf.NotAfter):
		return c.is(verdictFault, file+" has expired on "+day(leaf.NotAfter), renew)
	case leaf.NotAfter.Sub(p.now()) < nearExpiry:
		return c.is(verdictWarning, file+" expires on "+day(leaf.NotAfter), renew)
	}
	return c.ok("%s, valid until %s", file, day(leaf.NotAfter))
}

func (p *patient) customRoots(profile *config.Profile) finding {
	c := checkOf{"roots of " + profile.Name, exitConfig}
	file := mail.Clean(profile.CAFile)
	certs := parsePEM(profile.Roots.PEM)
	var expired, soon []*x509.Certificate
	for _, cert := range certs {
		switch {
		case !p.now().Before(cert.NotAfter):
			expired = append(expired, cert)
		case cert.NotAfter.Sub(p.now()) < nearExpiry:
			soon = append(soon, cert)
		}
	}
	const renew = "get the current ones from whoever runs that authority"
	switch {
	case len(certs) == 0:
		return c.is(verdictUnknown, file+" cannot be read again", "")
	case len(expired) == len(certs):
		return c.is(verdictFault, "all of "+file+" have expired: no server's certificate can be trusted", renew)
	case len(expired) > 0:
		return c.is(verdictWarning, fmt.Sprintf("%d of %s in %s have expired", len(expired), plural(len(certs), "certificate"), file), renew)
	case len(soon) > 0:
		first := slices.MinFunc(soon, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		return c.is(verdictWarning, fmt.Sprintf("%s in %s expires on %s", mail.Clean(first.Subject.String()), file, day(first.NotAfter)), renew)
	}
	return c.ok("%s, %s, none near its end", file, plural(len(certs), "certificate"))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func parsePEM(data []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			out = append(out, cert)
		}
	}
	return out
}

// publicRoots says whose roots certificate = "default" trusts (see the function of that name).
func (p *patient) publicRoots() finding {
	c := checkOf{"public roots", exitDeferred}
	if pool, err := x509.SystemCertPool(); err == nil && !pool.Equal(x509.NewCertPool()) {
		return c.ok("the system's")
	}
	n := 0
	for range bundle.Roots() {
		n++
	}
	return c.ok("the system has none; Mozilla's, built in: %d", n)
}

// weakening are settings of GODEBUG that make Go's TLS or X.509 accept more than it does by itself.
func weakening() []string {
	return []string{"tls10server", "tlsrsakex", "tls3des", "tlssha1", "tlsmaxrsasize", "tlsunsafeekm", "tlsmlkem",
		"x509negativeserial", "x509sha1", "x509usepolicies", "rsa1024min"}
}

// environment notes variables that change how programs do TLS, sendctl or others (C14).
func (p *patient) environment() finding {
	c := checkOf{"environment", exitDeferred}
	var set, notes []string
	note := func(name, what string) {
		if p.getenv(name) != "" {
			set, notes = append(set, name), append(notes, name+" "+what)
		}
	}
	if settings := p.getenv("GODEBUG"); settings != "" {
		var weak []string
		for _, kv := range strings.Split(settings, ",") {
			if key, _, _ := strings.Cut(kv, "="); slices.Contains(weakening(), key) {
				weak = append(weak, mail.Clean(kv))
			}
		}
		if len(weak) > 0 {
			note("GODEBUG", "changes TLS: "+joined(weak))
		} else {
			note("GODEBUG", "is set, with nothing about TLS")
		}
	}
	note("SSL_CERT_FILE", "takes the place of the system's roots: "+mail.Clean(p.getenv("SSL_CERT_FILE")))
	note("SSL_CERT_DIR", "takes the place of the system's roots: "+mail.Clean(p.getenv("SSL_CERT_DIR")))
	note("SSLKEYLOGFILE", "is ignored: sendctl writes no TLS keys")
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		note(name, "is not used for mail")
	}
	if len(set) == 0 {
		return c.ok("nothing that concerns TLS")
	}
	return c.is(verdictWarning, strings.Join(notes, "; "), "unset what is not meant: "+strings.Join(set, " "))
}
