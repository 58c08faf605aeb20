package tlsnames

import (
	"crypto/tls"
	"testing"
)

// The table must be Go's own list, no more and no less, with the same verdict on what is secure.
func TestUsableSuitesAreGos(t *testing.T) {
	t.Parallel()
	secure, all := SecureSuites(), AllSuites()
	n := 0
	check := func(list []*tls.CipherSuite, insecure bool) {
		for _, c := range list {
			n++
			id := Suite(c.ID)
			if id.String() != c.Name {
				t.Errorf("%04x is called %s, Go says %s", c.ID, id, c.Name)
			}
			if !all.Has(id) || secure.Has(id) == insecure {
				t.Errorf("%s: usable %v, secure %v, Go's insecure %v", id, all.Has(id), secure.Has(id), insecure)
			}
			if is13 := len(c.SupportedVersions) == 1 && c.SupportedVersions[0] == tls.VersionTLS13; is13 != id.TLS13() {
				t.Errorf("%s: TLS 1.3 %v, Go says %v", id, id.TLS13(), is13)
			}
		}
	}
	check(tls.CipherSuites(), false)
	check(tls.InsecureCipherSuites(), true)
	if n != len(usable) {
		t.Errorf("%d suites here, Go has %d", len(usable), n)
	}
}

func TestSuiteNamesBothWays(t *testing.T) {
	t.Parallel()
	for _, id := range AllSuites().List() {
		for _, name := range []string{id.String(), id.OpenSSL()} {
			if got, ok := ParseSuite(name); !ok || got != id {
				t.Errorf("ParseSuite(%q) = %v, %v", name, got, ok)
			}
		}
	}
	for _, bad := range []string{"", "aes128-sha", "DHE-RSA-AES128-SHA", "TLS_NULL"} {
		if id, ok := ParseSuite(bad); ok {
			t.Errorf("ParseSuite(%q) = %v", bad, id)
		}
	}
}

func TestVersionSet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		set         VersionSet
		text        string
		consecutive bool
	}{
		{0, "none", true},
		{VersionsOf(TLS12), "TLSv1.2", true},
		{VersionsOf(TLS12, TLS13), "TLSv1.2-1.3", true},
		{AllVersions, "TLSv1.0-1.3", true},
		{VersionsOf(TLS10, TLS12), "TLSv1.0,TLSv1.2", false},
	} {
		if tt.set.String() != tt.text || tt.set.Consecutive() != tt.consecutive {
			t.Errorf("%08b: %q consecutive %v, want %q %v", tt.set, tt.set, tt.set.Consecutive(), tt.text, tt.consecutive)
		}
	}
	for _, v := range Versions() {
		if got, ok := ParseVersion(v.String()); !ok || got != v {
			t.Errorf("ParseVersion(%s) = %v, %v", v, got, ok)
		}
	}
	for _, bad := range []string{"1.2", "TLSv1.4", "TLSv1_2", "tlsv1.2", "TLS1.2", ""} {
		if _, ok := ParseVersion(bad); ok {
			t.Errorf("ParseVersion accepts %q", bad)
		}
	}
}

// SPEC §4 names the alerts that count as a definite no.
func TestDefinitiveAlerts(t *testing.T) {
	t.Parallel()
	want := map[Alert]bool{40: true, 42: true, 43: true, 44: true, 45: true, 46: true, 48: true, 49: true, 70: true, 71: true, 86: true, 116: true, 120: true}
	for a := range 256 {
		if Alert(a).Definitive() != want[Alert(a)] {
			t.Errorf("alert %d definitive: %v", a, Alert(a).Definitive())
		}
	}
	if Alert(70).String() != "protocol_version" || Alert(200).String() != "alert 200" {
		t.Errorf("names: %s, %s", Alert(70), Alert(200))
	}
}
