package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// A duty or fact that is added to these types has to be stored too: a queued message would
// lose it, and so be sent with less than it was accepted with. Who changes a number here
// changes the documents in decision.go and outcome.go first.
func TestNothingIsLeftOutOfTheDocuments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value  any
		fields int
	}{
		{policy.Decision{}, 7}, // NearMisses is not stored: explain shows them, nothing depends on them
		{policy.Requirement{}, 7}, {policy.Roots{}, 3}, {policy.Cause{}, 3},
		{policy.Offer{}, 4}, // Client is not stored
		{delivery.Outcome{}, 8}, {delivery.Session{}, 6},
		{delivery.Attempt{}, 11}, // Session is not stored: the outcome has it where it decided
		{policy.Protection{}, 6}, {policy.PeerCertificate{}, 5}, {policy.Finding{}, 4}, {mail.Reply{}, 3}, {mail.Status{}, 3},
	} {
		if n := reflect.TypeOf(tt.value).NumField(); n != tt.fields {
			t.Errorf("%T has %d fields, the documents know %d", tt.value, n, tt.fields)
		}
	}
}

func anyText() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"", "a", "profile hipaa demands TLS", "ä \"quoted\"\n\x00", "<&>", strings.Repeat("long ", 50)})
}

func anyCauses() *rapid.Generator[[]policy.Cause] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) policy.Cause {
		return policy.Cause{Source: policy.Source(anyText().Draw(t, "source")), Name: anyText().Draw(t, "name"), Text: anyText().Draw(t, "text")}
	}), 0, 3)
}

func anyDecision() *rapid.Generator[policy.Decision] {
	return rapid.Custom(func(t *rapid.T) policy.Decision {
		d := policy.Decision{
			Profile: rapid.SampledFrom([]string{"hipaa", "-"}).Draw(t, "profile"), Mode: rapid.SampledFrom([]policy.Mode{policy.ModeForced, policy.ModeOpportunistic, policy.ModeNone}).Draw(t, "mode"),
			Pool: rapid.SampledFrom([]string{"default", "medical"}).Draw(t, "pool"), Rules: rapid.SliceOfN(anyText(), 0, 3).Draw(t, "rules"),
			Offer: policy.Offer{
				StartTLS: rapid.Bool().Draw(t, "starttls"), Versions: tlsnames.VersionSet(rapid.Uint8Max(uint8(tlsnames.AllVersions)).Draw(t, "offered")),
				Suites: tlsnames.SuiteSet(rapid.Uint32().Draw(t, "suites offered")) & tlsnames.AllSuites(),
			},
		}
		r := &d.Requirement
		r.Encrypt, r.PublicRoots = rapid.Bool().Draw(t, "encrypt"), rapid.Bool().Draw(t, "public")
		r.BarredVersions = tlsnames.VersionSet(rapid.Uint8Max(uint8(tlsnames.AllVersions)).Draw(t, "versions"))
		r.BarredSuites = tlsnames.SuiteSet(rapid.Uint32().Draw(t, "suites")) & tlsnames.AllSuites()
		r.OnFailure = policy.OnFailure(rapid.Uint8Max(uint8(policy.FailureBounce)).Draw(t, "on failure"))
		for _, pem := range rapid.SliceOfNDistinct(rapid.StringN(0, 40, -1), 0, 2, rapid.ID).Draw(t, "pem") {
			sum := sha256.Sum256([]byte(pem))
			r.Roots = append(r.Roots, policy.Roots{ID: hex.EncodeToString(sum[:]), Name: anyText().Draw(t, "roots"), PEM: []byte(pem)})
		}
		if causes := anyCauses().Draw(t, "because"); len(causes) > 0 {
			r.Because = causes
		}
		if len(d.Rules) == 0 {
			d.Rules = nil
		}
		return d
	})
}

// decodeFacts reads a decision back from its facts.
func decodeFacts(facts []fact) (policy.Decision, error) {
	return decodeDecision(facts[len(facts)-1].body, func(h factHash) (string, error) {
		for _, f := range facts {
			if f.hash == h {
				return f.body, nil
			}
		}
		return "", errDamaged("no such fact")
	})
}

func TestDecisionsSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := anyDecision().Draw(t, "decision")
		facts, err := encodeDecision(&d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeFacts(facts)
		if err != nil {
			t.Fatal(err)
		}
		if got.Requirement.Key() != d.Requirement.Key() || got.Offer.Key() != d.Offer.Key() {
			t.Fatalf("keys differ:\n%s\n%s", got.Requirement.Key(), d.Requirement.Key())
		}
		if diff := cmp.Diff(d, got); diff != "" {
			t.Fatal(diff)
		}
		other := anyDecision().Draw(t, "another")
		more, err := encodeDecision(&other)
		if err != nil {
			t.Fatal(err)
		}
		same := facts[len(facts)-1] == more[len(more)-1]
		if sameDecision(&d, &other) != same || !sameDecision(&d, &got) {
			t.Fatal("sameDecision is wrong")
		}
		if j := joined(&d, &other); policy.Join(j.Requirement, d.Requirement).Key() != j.Requirement.Key() ||
			policy.Join(j.Requirement, other.Requirement).Key() != j.Requirement.Key() {
			t.Fatal("joined is weaker than one of both")
		}
	})
}

// What cannot be understood never makes a requirement weaker.
func TestUnknownNamesFailClosed(t *testing.T) {
	t.Parallel()
	facts, err := encodeDecision(decision())
	if err != nil {
		t.Fatal(err)
	}
	body, want := facts[0].body, decision().Requirement
	for name, tt := range map[string]struct {
		change [2]string
		barred bool // else: refused
	}{
		"a suite that is not known any more": {[2]string{`"TLS_AES_128_GCM_SHA256"`, `"TLS_AES_128_GCM_SHA999"`}, true},
		"a version of the future":            {[2]string{`"TLSv1.3"`, `"TLSv1.4"`}, true},
		"another duty":                       {[2]string{`"encrypt":true`, `"encrypt":true,"dane":true`}, false},
		"another version of the document":    {[2]string{`{"v":1`, `{"v":2`}, false},
		"another way to end":                 {[2]string{`"on_failure":"bounce"`, `"on_failure":"forward"`}, false},
		"two values":                         {[2]string{`{"v":1`, `{}{"v":1`}, false},
		"no JSON":                            {[2]string{`{"v":1`, `{"v":1x`}, false},
		"trust anchors that are missing":     {[2]string{`"public_roots"`, `"roots":[{"id":"","name":"","sha256":"` + strings.Repeat("00", 32) + `"}],"public_roots"`}, false},
		"trust anchors without a name":       {[2]string{`"public_roots"`, `"roots":[{"id":"","name":"","sha256":"00"}],"public_roots"`}, false},
	} {
		changed := strings.Replace(body, tt.change[0], tt.change[1], 1)
		if changed == body {
			t.Fatalf("%s: nothing to change in %s", name, body)
		}
		got, err := decodeFacts([]fact{newFact([]byte(changed))})
		if (err == nil) != tt.barred {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && policy.Join(got.Requirement, want).Key() != got.Requirement.Key() {
			t.Errorf("%s: weaker: %v", name, got.Requirement)
		}
	}
}

func TestOutcomesSurvive(t *testing.T) {
	t.Parallel()
	unverified := delivered()
	unverified.Session.Protection.Certificate.Public = policy.Finding{Reason: policy.CertificateExpired, Passing: true, Text: "it expired"}
	unverified.Session.Protection.Certificate.Custom = map[string]policy.Finding{"ab": {OK: true}, "cd": {Reason: policy.CertificateHost}}
	unverified.Session.Protection.Suite, unverified.Session.Protection.Version = 0x9999, 0x0300
	inClear := delivered()
	inClear.Session.Protection = policy.Protection{}
	hostile := failed(delivery.Bounced, policy.RecipientRejected)
	hostile.Reply.Lines = []string{"\x1b[2J\u202e550", "\x00\r\n"}
	hostile.Attempts = append(hostile.Attempts, delivery.Attempt{Time: time.Unix(1, 2).UTC(), Definitive: true})
	for name, o := range map[string]delivery.Outcome{
		"delivered": delivered(), "unverified": unverified, "in inClear": inClear, "hostile": hostile, "deferred": failed(delivery.Deferred, policy.Greylisted),
		"zero": {}, "held": {Status: delivery.Held, Text: "held by hand"},
	} {
		got, err := roundTrip(o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(o, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func roundTrip(o delivery.Outcome) (delivery.Outcome, error) {
	body, err := encodeOutcome(o)
	if err != nil {
		return o, err
	}
	attempts, err := encodeAttempts(o.Attempts)
	if err != nil {
		return o, err
	}
	got, err := decodeOutcome(body)
	if err != nil {
		return o, err
	}
	if got.Attempts, err = decodeAttempts(attempts); err != nil || o.Session == nil {
		return got, err
	}
	f, err := encodeSession(o.Session)
	if err != nil {
		return o, err
	}
	got.Session, err = decodeSession(f.body)
	return got, err
}

func FuzzDocuments(f *testing.F) {
	facts, err := encodeDecision(decision())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(facts[0].body)
	session, err := encodeSession(delivered().Session)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(session.body)
	attempts, err := encodeAttempts(failed(delivery.Deferred, policy.Greylisted).Attempts)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(attempts)
	f.Add(`{"status":"delivered","code":250}`)
	f.Fuzz(func(t *testing.T, body string) {
		if d, err := decodeDecision(body, func(factHash) (string, error) { return "pem", nil }); err == nil {
			again, err := encodeDecision(&d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeFacts(again)
			if err != nil || got.Requirement.Key() != d.Requirement.Key() {
				t.Fatalf("not stable: %v", err)
			}
		}
		if s, err := decodeSession(body); err == nil {
			if _, err := encodeSession(s); err != nil {
				t.Fatal(err)
			}
		}
		if a, err := decodeAttempts(body); err == nil {
			if _, err := encodeAttempts(a); err != nil {
				t.Fatal(err)
			}
		}
		if o, err := decodeOutcome(body); err == nil {
			if _, err := roundTrip(o); err != nil {
				t.Fatal(err)
			}
		}
	})
}
