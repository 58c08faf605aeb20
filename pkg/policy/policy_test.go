package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// requirements draws any requirement, causes and roots included.
func requirements() *rapid.Generator[Requirement] {
	return rapid.Custom(func(t *rapid.T) Requirement {
		r := Requirement{
			Encrypt:        rapid.Bool().Draw(t, "encrypt"),
			BarredVersions: tlsnames.VersionSet(rapid.IntRange(0, 15).Draw(t, "versions")),
			BarredSuites:   tlsnames.SuiteSet(rapid.Uint32().Draw(t, "suites")) & tlsnames.AllSuites(),
			PublicRoots:    rapid.Bool().Draw(t, "public"),
			OnFailure:      OnFailure(rapid.IntRange(0, 2).Draw(t, "failure")),
		}
		for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID).Draw(t, "roots") {
			r.Roots = sortedRoots(r.Roots, []Roots{{ID: id, Name: id + ".pem"}})
		}
		for _, n := range rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3).Draw(t, "causes") {
			r.Because = joinCauses(r.Because, []Cause{{SourceRule, n, "rule " + n}})
		}
		return r
	})
}

// protections draws any session, most of them near what a requirement may demand.
func protections() *rapid.Generator[Protection] {
	return rapid.Custom(func(t *rapid.T) Protection {
		finding := func(label string) Finding {
			if rapid.Bool().Draw(t, label) {
				return Finding{OK: true}
			}
			return Finding{Reason: CertificateNotTrusted, Text: "not trusted"}
		}
		p := Protection{Encrypted: rapid.Bool().Draw(t, "encrypted")}
		if p.Encrypted {
			p.Version = rapid.SampledFrom(tlsnames.Versions()).Draw(t, "version")
			p.Suite = rapid.SampledFrom(tlsnames.AllSuites().List()).Draw(t, "suite")
			p.Certificate.Public = finding("public")
			p.Certificate.Custom = map[string]Finding{"a": finding("a"), "b": finding("b")}
		}
		return p
	})
}

// Join is a semilattice: whatever the order and however often, the same comes out.
func TestJoinIsCommutativeAssociativeIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := requirements().Draw(t, "a"), requirements().Draw(t, "b"), requirements().Draw(t, "c")
		same := func(what string, x, y Requirement) {
			if d := cmp.Diff(x, y); d != "" {
				t.Fatalf("%s: %s", what, d)
			}
		}
		same("commutative", Join(a, b), Join(b, a))
		same("associative", Join(Join(a, b), c), Join(a, Join(b, c)))
		same("idempotent", Join(a, a), a)
		same("neutral", Join(a, Requirement{}), a)
	})
}

// What satisfies the join satisfies each side: joining never weakens.
func TestJoinNeverWeakens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, got := requirements().Draw(t, "a"), requirements().Draw(t, "b"), protections().Draw(t, "got")
		j := Join(a, b)
		if len(j.Roots) > 0 && len(a.Roots) == 0 {
			// Custom roots take the place of the public ones: narrower trust, but not comparable.
			a.PublicRoots = false
		}
		if Judge(j, got).Satisfied() && !Judge(a, got).Satisfied() {
			t.Fatalf("%+v satisfies the join but not one side: %v", got, Judge(a, got))
		}
		if a.Encrypt && !j.Encrypt || a.OnFailure > j.OnFailure {
			t.Fatalf("the join demands less than one side")
		}
	})
}

// Nothing in clear ever satisfies a requirement that demands encryption.
func TestJudgeNeverAdmitsCleartext(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, got := requirements().Draw(t, "r"), protections().Draw(t, "got")
		if v := Judge(r, got); r.Encrypt && v.Satisfied() &&
			(!got.Encrypted || !r.Versions().Has(got.Version) || !r.Suites().Has(got.Suite)) {
			t.Fatalf("%+v was admitted under %+v", got, r)
		}
	})
	if v := Judge(Requirement{Encrypt: true, PublicRoots: true}, Protection{Encrypted: true, Version: tlsnames.TLS13, Suite: 0x1301}); v.Satisfied() {
		t.Error("a certificate that nobody verified was admitted")
	}
}

var (
	hipaa = &Profile{Name: "hipaa", Mode: ModeForced, Versions: tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13), Certificate: CertificateNone,
		Ciphers: []tlsnames.Suite{0xc02f, 0xc030}}
	pci        = &Profile{Name: "pci", Mode: ModeForced, Versions: tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13), Certificate: CertificateDefault}
	modern     = &Profile{Name: "modern", Mode: ModeForced, Versions: tlsnames.VersionsOf(tlsnames.TLS13), Certificate: CertificateDefault}
	newsletter = &Profile{Name: "newsletter", Mode: ModeOpportunistic, Versions: tlsnames.AllVersions, Certificate: CertificateNone}
	only12     = &Profile{Name: "only12", Mode: ModeForced, Versions: tlsnames.VersionsOf(tlsnames.TLS12), Certificate: CertificateNone}
)

// SPEC §2: a cipher list is read per protocol family.
func TestSuitesByFamily(t *testing.T) {
	t.Parallel()
	gcm256, chacha13 := tlsnames.Suite(0xc030), tlsnames.Suite(0x1303)
	forced := func(versions tlsnames.VersionSet, list ...tlsnames.Suite) *Profile {
		return &Profile{Mode: ModeForced, Versions: versions, Ciphers: list}
	}
	modernOnly, old := tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13), tlsnames.AllVersions
	for _, tt := range []struct {
		name string
		p    *Profile
		want tlsnames.SuiteSet
	}{
		{"no list is what Go deems secure", forced(modernOnly), tlsnames.SecureSuites()},
		{"no list with TLS 1.0 takes legacy too", forced(old), tlsnames.AllSuites()},
		{"opportunistic takes legacy too", newsletter, tlsnames.AllSuites()},
		{"an older name leaves all of TLS 1.3", forced(modernOnly, gcm256), tlsnames.SuitesOf(gcm256) | tlsnames.TLS13Suites()},
		{"a TLS 1.3 name leaves the older defaults", forced(modernOnly, chacha13), tlsnames.SecureSuites().Old() | tlsnames.SuitesOf(chacha13)},
		{"both are exact", forced(modernOnly, gcm256, chacha13), tlsnames.SuitesOf(gcm256, chacha13)},
	} {
		if got := tt.p.Suites(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// SPEC §2 Joining: no version left is a verdict before anything is dialled, and names both causes.
func TestConflictNamesBothCauses(t *testing.T) {
	t.Parallel()
	v := Join(modern.Requirement(), only12.Requirement()).Conflict()
	if v.Reason != TLSVersionMismatch || !strings.Contains(v.Text, "modern") || !strings.Contains(v.Text, "only12") {
		t.Errorf("got %+v", v)
	}
	a, b := *hipaa, *hipaa
	a.Name, a.Ciphers = "a", []tlsnames.Suite{0xc02f, 0x1301}
	b.Name, b.Ciphers = "b", []tlsnames.Suite{0xc030, 0x1302}
	if v := Join(a.Requirement(), b.Requirement()).Conflict(); v.Reason != TLSCipherMismatch {
		t.Errorf("ciphers emptied it: got %+v", v)
	}
	if v := Join(hipaa.Requirement(), pci.Requirement()).Conflict(); !v.Satisfied() {
		t.Errorf("no conflict here: %+v", v)
	}
}

// A family that the ciphers emptied takes its versions along.
func TestEmptiedFamilyRemovesItsVersions(t *testing.T) {
	t.Parallel()
	a, b := *hipaa, *hipaa
	a.Ciphers, b.Ciphers = []tlsnames.Suite{0xc02f, 0x1301}, []tlsnames.Suite{0xc02f, 0x1302}
	j := Join(a.Requirement(), b.Requirement())
	if got := j.Versions(); got != tlsnames.VersionsOf(tlsnames.TLS12) {
		t.Errorf("versions left: %s", got)
	}
	if got := Propose(j, newsletter.Offer()); got.Versions != tlsnames.VersionsOf(tlsnames.TLS12) || got.Suites != tlsnames.SuitesOf(0xc02f) {
		t.Errorf("proposed: %+v", got)
	}
}

func address(t *testing.T, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func pattern(t *testing.T, s string) Pattern {
	t.Helper()
	p, err := ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FAULTS C7: exact domain, subdomains with a leading dot only, no suffix trick, IDNA, case, final dot.
func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, address string
		match            bool
		why              string
	}{
		{"example.com", "a@example.com", true, ""},
		{"example.com", "a@EXAMPLE.COM.", true, ""},
		{"Example.COM.", "a@example.com", true, ""},
		{"example.com", "a@sub.example.com", false, "exactly that domain"},
		{"example.com", "a@notexample.com", false, "only ends in"},
		{"example.com", "a@example.com.evil.org", false, "only begins with"},
		{"example.com", "a@other.org", false, ""},
		{".example.com", "a@sub.example.com", true, ""},
		{".example.com", "a@deep.sub.example.com", true, ""},
		{".example.com", "a@example.com", false, "subdomains only"},
		{".example.com", "a@notexample.com", false, "only ends in"},
		{"cfo@partner.org", "cfo@partner.org", true, ""},
		{"cfo@partner.org", "CFO@Partner.org", true, ""},
		{"cfo@partner.org", "ceo@partner.org", false, "another address"},
		{"bücher.example", "a@xn--bcher-kva.example", true, ""},
		{"xn--bcher-kva.example", "a@BÜCHER.example", true, ""},
	} {
		p, a := pattern(t, tt.pattern), address(t, tt.address)
		if got := p.Match(a); got != tt.match {
			t.Errorf("%s matches %s: %v", tt.pattern, tt.address, got)
		}
		if why := p.why(a); tt.why == "" && why != "" || !strings.Contains(why, tt.why) {
			t.Errorf("%s against %s: why %q, want %q", tt.pattern, tt.address, why, tt.why)
		}
	}
	for _, bad := range []string{"", ".", "*.example.com", "@example.com", "a b@example.com", "exa mple.com", "a@"} {
		if p, err := ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q) = %v", bad, p)
		}
	}
}

// A rule only ever strengthens, whatever the order of the rules.
func TestRulesOnlyStrengthen(t *testing.T) {
	t.Parallel()
	rules := []Rule{
		{Name: "bank", Enabled: true, To: []Pattern{pattern(t, "bank.example")}, Profile: pci},
		{Name: "all-secure", Enabled: true, Subject: []string{"[Secure]"}},
		{Name: "off", To: []Pattern{pattern(t, "bank.example")}, Profile: modern},
	}
	facts := Facts{ReversePath: address(t, "a@clinic.example"), Subjects: []string{"results [SECURE]"}}
	rcpt := address(t, "x@bank.example")
	for _, sender := range []Sender{{NullProfile, nil}, {"newsletter", newsletter}, {"hipaa", hipaa}} {
		base := For(sender, nil, facts, rcpt)
		d := For(sender, rules, facts, rcpt)
		back := slices.Clone(rules)
		slices.Reverse(back)
		if other := For(sender, back, facts, rcpt); other.Requirement.Key() != d.Requirement.Key() {
			t.Errorf("%s: the order of rules matters", sender.Name)
		}
		if d.Mode != ModeForced || !d.Requirement.Encrypt || !d.Requirement.PublicRoots || len(d.Rules) != 2 {
			t.Errorf("%s: %+v", sender.Name, d)
		}
		if got := Join(base.Requirement, d.Requirement).Key(); got != d.Requirement.Key() {
			t.Errorf("%s: the rules weakened something", sender.Name)
		}
		if len(d.NearMisses) != 1 || d.NearMisses[0].Rule != "off" || !strings.Contains(d.NearMisses[0].Why, "disabled") {
			t.Errorf("%s: near misses %+v", sender.Name, d.NearMisses)
		}
	}
}

// The null profile without null_profile is unencrypted transport, and a rule still bites.
func TestNullProfile(t *testing.T) {
	t.Parallel()
	rcpt := address(t, "x@plain.example")
	d := For(Sender{Name: NullProfile}, nil, Facts{}, rcpt)
	if d.Mode != ModeNone || d.Requirement.Encrypt || Propose(d.Requirement, d.Offer).StartTLS {
		t.Errorf("%+v", d)
	}
	d = For(Sender{Name: NullProfile}, []Rule{{Name: "r", Enabled: true, To: []Pattern{pattern(t, "plain.example")}}}, Facts{}, rcpt)
	offer := Propose(d.Requirement, d.Offer)
	if d.Mode != ModeForced || !offer.StartTLS || offer.Versions != tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13) || offer.Suites != tlsnames.SecureSuites() {
		t.Errorf("%+v, proposed %+v", d, offer)
	}
}

// on_tls_failure: bounce wins unless every forced source says defer.
func TestOnFailureJoins(t *testing.T) {
	t.Parallel()
	patient := *hipaa
	patient.OnFailure = FailureDefer
	if got := patient.Requirement().OnFailure; got != FailureDefer {
		t.Errorf("alone: %v", got)
	}
	if got := Join(patient.Requirement(), newsletter.Requirement()).OnFailure; got != FailureDefer {
		t.Errorf("with an opportunistic profile: %v", got)
	}
	if got := Join(patient.Requirement(), pci.Requirement()).OnFailure; got != FailureBounce {
		t.Errorf("with a bouncing one: %v", got)
	}
}

func TestReasonsAreAClosedSet(t *testing.T) {
	t.Parallel()
	for _, r := range Reasons() {
		if r.Category() == "" {
			t.Errorf("%s has no category", r)
		}
	}
	if Reason("").Category() != "" || Reason("made-up").Category() != "" {
		t.Error("a reason outside the set has a category")
	}
}
