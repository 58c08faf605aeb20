package probe_test

import (
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// Every domain of the sandbox: what a probe says of each of its addresses.
func TestStandardDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, nil)
	type row struct {
		starttls probe.StartTLS
		versions string // 1.0 to 1.3
		trust    string // of the certificate; "" for none
	}
	good := row{probe.Offered, "nnyy", "ok"}
	down := row{probe.Unasked, "????", ""}
	broken := row{probe.Offered, "????", ""}
	for domain, tt := range map[string]struct {
		grade probe.Grade
		rows  []row
		why   string // in a reason of the grade, or in the error
		later bool   // inconclusive
		none  bool   // cannot receive mail
	}{
		"tls13.test":       {grade: probe.GradeA, rows: []row{{probe.Offered, "nnny", "ok"}}},
		"tls12.test":       {grade: probe.GradeA, rows: []row{{probe.Offered, "nnyn", "ok"}}},
		"tls10.test":       {grade: probe.GradeB, rows: []row{{probe.Offered, "ynnn", "ok"}}, why: "TLSv1.0"},
		"modern.test":      {grade: probe.GradeA, rows: []row{good, good}},
		"clinic.test":      {grade: probe.GradeA, rows: []row{good, good}},
		"plain.test":       {grade: probe.GradeF, rows: []row{{probe.NotOffered, "nnnn", ""}}, why: "offers no STARTTLS"},
		"selfsigned.test":  {grade: probe.GradeC, rows: []row{{probe.Offered, "nnyy", "self-signed"}}, why: "self-signed"},
		"expired.test":     {grade: probe.GradeC, rows: []row{good}, why: "expired"},
		"wrongname.test":   {grade: probe.GradeC, rows: []row{good}, why: "wrong name"},
		"refused-tls.test": {grade: probe.GradeF, rows: []row{{probe.Refused, "????", ""}}, why: "refuses it"},
		"broken-tls.test":  {grade: probe.GradeF, rows: []row{broken}, why: "never yields TLS"},
		"inject.test":      {grade: probe.GradeF, rows: []row{broken}, why: "plaintext behind"},
		"backup.test":      {grade: probe.GradeUnknown, rows: []row{down, good}, why: "refused the connection", later: true},
		"mixed.test":       {grade: probe.GradeF, rows: []row{{probe.NotOffered, "nnnn", ""}, good}, why: "mx1.mixed.test"},
		"greylist.test":    {grade: probe.GradeA, rows: []row{good}},
		"unknown.test":     {grade: probe.GradeA, rows: []row{good}},
		"full.test":        {grade: probe.GradeA, rows: []row{good}},
		"toobig.test":      {grade: probe.GradeA, rows: []row{good}},
		"hangup.test":      {grade: probe.GradeA, rows: []row{good}},
		"slow.test":        {grade: probe.GradeUnknown, rows: []row{down}, why: "did not answer in time", later: true},
		"nomx.test":        {grade: probe.GradeA, rows: []row{good}},
		"null.test":        {grade: probe.GradeNone, why: "null MX", none: true},
		"nxdomain.test":    {grade: probe.GradeNone, why: "NXDOMAIN", none: true},
		"servfail.test":    {grade: probe.GradeUnknown, why: "SERVFAIL", later: true},
	} {
		t.Run(domain, func(t *testing.T) {
			t.Parallel()
			res := w.ask(t, domain)
			if res.Grade != tt.grade || res.Inconclusive != tt.later || res.NoMail != tt.none || len(res.MX) != len(tt.rows) {
				t.Fatalf("%+v", res)
			}
			if said := strings.Join(res.GradeReasons, " ") + res.Error; !strings.Contains(said, tt.why) {
				t.Errorf("said %q, not %q", said, tt.why)
			}
			for i, want := range tt.rows {
				m := res.MX[i]
				got := row{m.StartTLS, versions(m), ""}
				if m.Certificate != nil {
					got.trust = m.Certificate.Trust
				}
				if got != want || m.Connections > 4 {
					t.Errorf("%s [%s]: %+v by %d connections, want %+v; %+v", m.Host, m.IP, got, m.Connections, want, m.Evidence)
				}
				if (m.Best != nil) != strings.Contains(want.versions, "y") || m.DANE != "none" || m.MTASTS != "none" {
					t.Errorf("%s [%s]: best %+v, DANE %s, MTA-STS %s", m.Host, m.IP, m.Best, m.DANE, m.MTASTS)
				}
			}
		})
	}
	t.Cleanup(func() { w.polite(t) })
}

// The post-quantum group is seen and told.
func TestBest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, nil)
	m := w.ask(t, "modern.test").MX[0]
	if m.Best == nil || m.Best.Version != "TLSv1.3" || m.Best.Group != "X25519MLKEM768" || !strings.HasPrefix(m.Best.Cipher, "TLS_") {
		t.Fatalf("%+v", m.Best)
	}
	if c := m.Certificate; c.Key != "ECDSA P-256" || !c.NameMatch || c.Expired || len(c.SHA256) != 64 || c.Names[0] != "mx.modern.test" {
		t.Fatalf("%+v", c)
	}
}
