package probe_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

const ehlo = "EHLO"

// Hosts on which other probers err: TLS that is slow, throttled, split or at fault is never
// told as no TLS.
func TestNuisances(t *testing.T) {
	t.Parallel()
	all := sandbox.TLS{Min: tls.VersionTLS10, Max: tls.VersionTLS13}
	old := sandbox.TLS{Min: tls.VersionTLS10, Max: tls.VersionTLS11}
	for name, tt := range map[string]struct {
		host     sandbox.Host
		starttls probe.StartTLS
		versions string
		grade    probe.Grade
		later    bool
		why      string
		most     int // connections
	}{
		"all versions":  {host: sandbox.Host{TLS: all}, starttls: probe.Offered, versions: "yyyy", grade: probe.GradeB},
		"1.0 and 1.1":   {host: sandbox.Host{TLS: old}, starttls: probe.Offered, versions: "yynn", grade: probe.GradeB},
		"1.1 to 1.2":    {host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS11, Max: tls.VersionTLS12}}, starttls: probe.Offered, versions: "nyyn", grade: probe.GradeB},
		"RSA key only":  {host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS12, Max: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}}}, starttls: probe.Offered, versions: "nnyn", grade: probe.GradeA},
		"lower case":    {host: sandbox.Host{Script: sandbox.On(ehlo, sandbox.Reply("250-mx.example.test", "250-size 1000", "250 StartTLS").Taken())}, starttls: probe.Offered, versions: "nnyy", grade: probe.GradeA},
		"split replies": {host: sandbox.Host{TLS: all, Script: sandbox.On(ehlo, sandbox.Raw("25", "0-mx.example.test\r\n250-SIZE 10", "00\r", "\n250 START", "TLS\r\n").Taken())}, starttls: probe.Offered, versions: "yyyy", grade: probe.GradeB},
		"reply octet by octet": {host: sandbox.Host{Script: sandbox.On(ehlo, sandbox.Drip("250-mx.example.test\r\n250 STARTTLS\r\n", time.Millisecond).Taken())},
			starttls: probe.Offered, versions: "nnyy", grade: probe.GradeA},
		"handshake octet by octet": {host: sandbox.Host{TLS: sandbox.TLS{Drip: 50 * time.Microsecond}}, starttls: probe.Offered, versions: "nnyy", grade: probe.GradeA},
		"late banner":              {host: sandbox.Host{Script: sandbox.On(sandbox.Connect, sandbox.Late("220 mx.example.test ESMTP\r\n", 300*time.Millisecond).Taken())}, starttls: probe.Offered, versions: "nnyy", grade: probe.GradeA},
		"421 at the second connection and later": {host: sandbox.Host{Script: sandbox.When(func(e sandbox.Event) bool { return e.Verb == sandbox.Connect && e.Connection > 1 }, sandbox.Reply("421 4.7.0 too many connections").Then(sandbox.Close))},
			starttls: probe.Offered, versions: "???y", grade: probe.GradeUnknown, later: true, why: "could not be found out"},
		"421 always": {host: sandbox.Host{Script: sandbox.On(sandbox.Connect, sandbox.Reply("421 4.7.0 too many connections").Then(sandbox.Close))},
			starttls: probe.Unasked, versions: "????", grade: probe.GradeUnknown, later: true, why: "421"},
		"421 once":             {host: sandbox.Host{Script: sandbox.UpTo(sandbox.Connect, 1, sandbox.Reply("421 4.7.0 not now").Then(sandbox.Close))}, starttls: probe.Offered, versions: "nnyy", grade: probe.GradeA, most: 5},
		"one at a time":        {host: sandbox.Host{TLS: all, MaxConnections: 1}, starttls: probe.Offered, versions: "yyyy", grade: probe.GradeB, most: 5},
		"450 to EHLO":          {host: sandbox.Host{Script: sandbox.On(ehlo, sandbox.Reply("450 4.3.2 later"))}, starttls: probe.Unasked, versions: "????", grade: probe.GradeUnknown, later: true, why: "450"},
		"554 greeting":         {host: sandbox.Host{Script: sandbox.On(sandbox.Connect, sandbox.Reply("554 5.7.1 go away"))}, starttls: probe.Unasked, versions: "????", grade: probe.GradeUnknown, later: true, why: "554"},
		"454 to STARTTLS":      {host: sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("454 4.7.0 not now"))}, starttls: probe.Refused, versions: "????", grade: probe.GradeF, why: "refuses"},
		"454 once":             {host: sandbox.Host{Script: sandbox.UpTo("STARTTLS", 1, sandbox.Reply("454 4.7.0 not now"))}, starttls: probe.Offered, versions: "nnyy", grade: probe.GradeA, most: 5},
		"502 to STARTTLS":      {host: sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("502 5.5.1 no"))}, starttls: probe.Refused, versions: "????", grade: probe.GradeF},
		"closes after 220":     {host: sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("220 go ahead").Then(sandbox.Close))}, starttls: probe.Offered, versions: "????", grade: probe.GradeF, why: "never yields"},
		"resets after 220":     {host: sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("220 go ahead").Then(sandbox.Reset))}, starttls: probe.Offered, versions: "????", grade: probe.GradeF, why: "never yields"},
		"stalls after 220":     {host: sandbox.Host{TLS: sandbox.TLS{Hello: sandbox.Always(sandbox.Hang(sandbox.Stall))}}, starttls: probe.Offered, versions: "????", grade: probe.GradeUnknown, later: true},
		"HELO only":            {host: sandbox.Host{NoSTARTTLS: true, Script: sandbox.On(ehlo, sandbox.Reply("502 5.5.1 no"))}, starttls: probe.NotOffered, versions: "nnnn", grade: probe.GradeF},
		"EHLO taken out":       {host: sandbox.Host{Script: sandbox.On(ehlo, sandbox.Reply("502 5.5.1 no"))}, starttls: probe.NotOffered, versions: "???y", grade: probe.GradeF, why: "without announcing it"},
		"chokes on long hello": {host: sandbox.Host{TLS: sandbox.TLS{Hello: sandbox.HelloLimit(1200, sandbox.Hang(sandbox.Close))}}, starttls: probe.Offered, versions: "nnyy", grade: probe.GradeA},
		"client certificate, 1.3": {host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS13, Max: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}},
			starttls: probe.Offered, versions: "nnny", grade: probe.GradeF, why: "client certificate"},
		"client certificate, 1.2": {host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS12, Max: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}},
			starttls: probe.Offered, versions: "nnyn", grade: probe.GradeF, why: "client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneHost(t, tt.host, func(p *probe.Config, _ *courier.Config) { p.Session.Timeouts.Handshake = patience(name) })
			res := w.ask(t, "example.test")
			m := res.MX[0]
			if m.StartTLS != tt.starttls || versions(m) != tt.versions || res.Grade != tt.grade || res.Inconclusive != tt.later {
				t.Errorf("STARTTLS %s, %s, grade %s %v, inconclusive %v; %+v", m.StartTLS, versions(m), res.Grade, res.GradeReasons, res.Inconclusive, m.Evidence)
			}
			if said := strings.Join(res.GradeReasons, " "); !strings.Contains(said, tt.why) {
				t.Errorf("said %q, not %q", said, tt.why)
			}
			if most := max(tt.most, 4); m.Connections > most {
				t.Errorf("%d connections, want at most %d; %+v", m.Connections, most, m.Evidence)
			}
		})
	}
}

// patience is the time for a handshake: short only where it is to run out.
func patience(name string) time.Duration {
	if strings.HasPrefix(name, "stalls") {
		return 300 * time.Millisecond
	}
	return 10 * time.Second
}
