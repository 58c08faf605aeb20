package tlsnames

import (
	"crypto/tls"
	"strings"
	"testing"
)

// Every suite stands in one table only, and the foreign ones are in no set: what sendctl can
// be told to demand has not changed by knowing more names.
func TestForeignSuites(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, f := range foreign {
		if f.id.index() >= 0 {
			t.Errorf("%s is one that Go's TLS can use", f.iana)
		}
		if names[f.iana] || f.id.String() != f.iana {
			t.Errorf("%s stands twice", f.iana)
		}
		names[f.iana] = true
		if SuitesOf(f.id) != 0 || AllSuites().Has(f.id) || f.id.Usable() || f.id.TLS13() {
			t.Errorf("%s came into a set", f.iana)
		}
		if _, ok := ParseSuite(f.iana); ok {
			t.Errorf("%s is accepted as the name of a suite that can be used", f.iana)
		}
	}
	if s := Suite(0xfefe).String(); s != "0xfefe" {
		t.Errorf("an unknown suite is %q", s)
	}
}

// Go itself knows which versions its suites are for.
func TestSuiteInVersionAsGoHasIt(t *testing.T) {
	t.Parallel()
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		for _, v := range Versions() {
			want := false
			for _, g := range s.SupportedVersions {
				want = want || g == uint16(v)
			}
			if got := Suite(s.ID).In(v); got != want {
				t.Errorf("%s in %s: %v, want %v", s.Name, v, got, want)
			}
		}
	}
}

func TestKnownSuites(t *testing.T) {
	t.Parallel()
	// Old servers fail at ClientHellos of more than 128 suites.
	const most = 128
	for _, v := range Versions() {
		list := KnownSuites(v)
		foreignSeen := false
		for _, s := range list {
			if foreignSeen && s.Usable() {
				t.Errorf("%s: %s comes behind suites that cannot be used", v, s)
			}
			foreignSeen = foreignSeen || !s.Usable()
		}
		if len(list) == 0 || len(list) > most {
			t.Errorf("%s: %d suites", v, len(list))
		}
	}
	all := strings.Join(names(KnownSuites(TLS12)), " ")
	for _, kind := range []string{"DHE_RSA", "CCM", "CAMELLIA", "ARIA", "RC4", "3DES", "anon", "NULL", "EXPORT", "SEED", "DHE_DSS"} {
		if !strings.Contains(all, kind) {
			t.Errorf("no %s suite is known", kind)
		}
	}
}

func names(suites []Suite) []string {
	var out []string
	for _, s := range suites {
		out = append(out, s.String())
	}
	return out
}

func TestGroups(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id          tls.CurveID
		name        string
		postQuantum bool
	}{
		{tls.X25519, "x25519", false}, {tls.CurveP256, "secp256r1", false}, {tls.CurveP384, "secp384r1", false},
		{tls.CurveP521, "secp521r1", false}, {tls.X25519MLKEM768, "X25519MLKEM768", true},
	} {
		g := Group(tt.id)
		if g.String() != tt.name || !g.Usable() || g.PostQuantum() != tt.postQuantum {
			t.Errorf("%d: %s, usable %v, post-quantum %v", tt.id, g, g.Usable(), g.PostQuantum())
		}
	}
	if Group(256).Usable() || Group(256).String() != "ffdhe2048" {
		t.Error("ffdhe2048 is taken for one of Go's groups")
	}
	if g := Group(0xfefe); g.String() != "0xfefe" || g.Usable() {
		t.Errorf("an unknown group is %s", g)
	}
}
