package cmd

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// F14: a clock that is wrong makes certificates expire and mail with them.
func TestDoctorClock(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name                string
		now                 time.Time
		synchronised, known bool
		want                verdict
		found               string
	}{
		{"right", made.AddDate(0, 3, 0), true, true, verdictOK, "2026-08-01"},
		{"a time zone apart", made.Add(-12 * time.Hour), true, true, verdictOK, ""},
		{"1970", time.Unix(60, 0), true, true, verdictFault, "before this program was made (2026-05-01)"},
		{"ten years back", made.AddDate(-10, 0, 0), true, true, verdictFault, "before"},
		{"far ahead", made.AddDate(100, 0, 0), true, true, verdictFault, "decades after"},
		{"nobody keeps it", made.AddDate(0, 3, 0), false, true, verdictWarning, "chrony"},
		{"nobody tells", made.AddDate(0, 3, 0), false, false, verdictUnknown, "2026-08-01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := wholesome(t)
			p.earlier = made
			p.now = func() time.Time { return tt.now }
			p.clock = func() (bool, bool) { return tt.synchronised, tt.known }
			says(t, p.clockCheck(), tt.want, tt.found)
		})
	}
	if built := buildTime(); built.Year() < 2026 || built.After(time.Now().Add(clockSlack)) {
		t.Errorf("built at %s", built)
	}
}

// issued is a certificate in PEM that ends so many days from now.
func issued(t *testing.T, authority *sandbox.Authority, now time.Time, from, until int) []byte {
	t.Helper()
	cert, err := authority.Issue("client.clinic.example", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = now.AddDate(0, 0, from), now.AddDate(0, 0, until)
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
}

func TestDoctorCertificates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	authority, err := sandbox.NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	good, soon, past, future := issued(t, authority, now, -9, 90), issued(t, authority, now, -9, 29), issued(t, authority, now, -9, -1), issued(t, authority, now, 2, 90)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name          string
		client, roots []byte
		want          verdict
		found         string
	}{
		{"none", nil, nil, verdictOK, "no profile names any"},
		{"client", good, nil, verdictOK, "client.pem, valid until " + day(now.AddDate(0, 0, 90))},
		{"client, soon over", soon, nil, verdictWarning, "client.pem expires on " + day(now.AddDate(0, 0, 29))},
		{"client, expired", past, nil, verdictFault, "has expired on"},
		{"client, not yet valid", future, nil, verdictFault, "not valid before"},
		{"client and its issuer", join(good, past), nil, verdictOK, ""},
		{"roots", nil, join(good, good), verdictOK, "ca.pem, 2 certificates"},
		{"roots, soon over", nil, join(good, soon), verdictWarning, "CN=client.clinic.example in ca.pem expires on"},
		{"roots, one expired", nil, join(good, past), verdictWarning, "1 of 2 certificates"},
		{"roots, all expired", nil, past, verdictFault, "all of ca.pem"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := wholesome(t)
			profile := config.Profile{Profile: policy.Profile{Name: "partner"}, CAFile: "ca.pem", ClientCertificateFile: "client.pem"}
			if tt.client != nil {
				profile.Client = &policy.ClientCertificate{Cert: tt.client}
			}
			if tt.roots != nil {
				profile.Roots = &policy.Roots{PEM: tt.roots}
			}
			p.cfg.Profiles = append(p.cfg.Profiles, profile)
			found := p.certificates(t.Context())
			if len(found) != 1 {
				t.Fatalf("findings %+v", found)
			}
			says(t, found[0], tt.want, tt.found)
		})
	}
}

// C14: variables that change how TLS is done are noted.
func TestDoctorEnvironment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env   map[string]string
		want  verdict
		found []string
	}{
		{nil, verdictOK, nil},
		{map[string]string{"GODEBUG": "tlssha1=1,gctrace=1"}, verdictWarning, []string{"GODEBUG changes TLS: tlssha1=1", "unset what is not meant: GODEBUG"}},
		{map[string]string{"GODEBUG": "gctrace=1"}, verdictWarning, []string{"nothing about TLS"}},
		{map[string]string{"SSL_CERT_FILE": "/tmp/\x1b[2Jca.pem", "SSLKEYLOGFILE": "/tmp/keys"}, verdictWarning,
			[]string{"SSL_CERT_FILE takes the place", "sendctl writes no TLS keys", "SSL_CERT_FILE SSLKEYLOGFILE"}},
		{map[string]string{"HTTPS_PROXY": "http://proxy.example:3128"}, verdictWarning, []string{"not used for mail"}},
	} {
		p := wholesome(t)
		p.getenv = func(name string) string { return tt.env[name] }
		f := p.environment()
		says(t, f, tt.want, tt.found...)
		if bytes.ContainsRune([]byte(f.Found), '\x1b') {
			t.Errorf("%q goes to a terminal", f.Found)
		}
	}
}
