package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// documentVersion is the version of the JSON documents. A document of another version, or with
// a member that is not known, is not guessed at: its entry is put on hold.
const documentVersion = 1

// decisionDoc is a decision at rest. Versions and suites stand by name, as what is allowed: a
// name that a later sendctl no longer knows, or a suite that it learnt since, is barred.
type decisionDoc struct {
	V           int            `json:"v"`
	Profile     string         `json:"profile"`
	Mode        policy.Mode    `json:"mode"`
	Pool        string         `json:"pool"`
	Rules       []string       `json:"rules,omitempty"`
	Requirement requirementDoc `json:"requirement"`
	Offer       offerDoc       `json:"offer"`
}

type requirementDoc struct {
	Encrypt     bool           `json:"encrypt"`
	Versions    *[]string      `json:"versions"` // null: none is barred
	Suites      *[]string      `json:"suites"`   // likewise
	PublicRoots bool           `json:"public_roots"`
	Roots       []rootsDoc     `json:"roots,omitempty"`
	OnFailure   string         `json:"on_failure"`
	Because     []policy.Cause `json:"because,omitempty"`
}

// rootsDoc names trust anchors; their PEM is a fact of its own.
type rootsDoc struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// offerDoc is an offer without the client certificate: a private key has no place in a spool.
type offerDoc struct {
	StartTLS bool     `json:"starttls"`
	Versions []string `json:"versions"`
	Suites   []string `json:"suites"`
}

// encodeDecision gives the fact that stands for a decision, and before it those of its trust anchors.
func encodeDecision(d *policy.Decision) ([]fact, error) {
	req := d.Requirement
	doc := decisionDoc{
		V: documentVersion, Profile: d.Profile, Mode: d.Mode, Pool: d.Pool, Rules: d.Rules,
		Requirement: requirementDoc{
			Encrypt: req.Encrypt, PublicRoots: req.PublicRoots, OnFailure: req.OnFailure.String(), Because: req.Because,
		},
		Offer: offerDoc{StartTLS: d.Offer.StartTLS, Versions: d.Offer.Versions.Names(), Suites: d.Offer.Suites.Names()},
	}
	if req.BarredVersions != 0 {
		names := tlsnames.AllVersions.Without(req.BarredVersions).Names()
		doc.Requirement.Versions = &names
	}
	if req.BarredSuites != 0 {
		names := tlsnames.AllSuites().Without(req.BarredSuites).Names()
		doc.Requirement.Suites = &names
	}
	var facts []fact
	for _, r := range req.Roots {
		f := newFact(r.PEM)
		facts = append(facts, f)
		doc.Requirement.Roots = append(doc.Requirement.Roots, rootsDoc{r.ID, r.Name, hex.EncodeToString(f.hash[:])})
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return append(facts, newFact(body)), nil
}

// encodedDecision is a decision and its facts. Those of a batch are mostly alike, so the last
// one is kept at hand.
type encodedDecision struct {
	decision *policy.Decision
	facts    []fact
}

// decisionFacts is encodeDecision with the last result at hand.
func (s *Spool) decisionFacts(d *policy.Decision) ([]fact, error) {
	if last := s.encoded.Load(); last != nil && (last.decision == d || sameDecision(last.decision, d)) {
		return last.facts, nil
	}
	facts, err := encodeDecision(d)
	if err == nil {
		s.encoded.Store(&encodedDecision{d, facts})
	}
	return facts, err
}

// sameDecision reports that two decisions are stored alike.
func sameDecision(a, b *policy.Decision) bool {
	x, y := &a.Requirement, &b.Requirement
	return a.Profile == b.Profile && a.Mode == b.Mode && a.Pool == b.Pool && slices.Equal(a.Rules, b.Rules) &&
		a.Offer.StartTLS == b.Offer.StartTLS && a.Offer.Versions == b.Offer.Versions && a.Offer.Suites == b.Offer.Suites &&
		x.Encrypt == y.Encrypt && x.BarredVersions == y.BarredVersions && x.BarredSuites == y.BarredSuites &&
		x.PublicRoots == y.PublicRoots && x.OnFailure == y.OnFailure && slices.Equal(x.Because, y.Because) &&
		slices.EqualFunc(x.Roots, y.Roots, func(r, s policy.Roots) bool {
			return r.ID == s.ID && r.Name == s.Name && bytes.Equal(r.PEM, s.PEM)
		})
}

// decodeDecision reads what encodeDecision wrote; pem gives trust anchors by their SHA-256.
func decodeDecision(body string, pem func(factHash) (string, error)) (policy.Decision, error) {
	var doc decisionDoc
	if err := strictJSON(body, &doc); err != nil {
		return policy.Decision{}, err
	}
	if doc.V != documentVersion {
		return policy.Decision{}, errDamaged("its requirement is of version %d, this sendctl knows %d", doc.V, documentVersion)
	}
	d := policy.Decision{
		Profile: doc.Profile, Mode: doc.Mode, Pool: doc.Pool, Rules: doc.Rules,
		Offer: policy.Offer{StartTLS: doc.Offer.StartTLS, Versions: versionsNamed(doc.Offer.Versions), Suites: suitesNamed(doc.Offer.Suites)},
	}
	req := &d.Requirement
	req.Encrypt, req.PublicRoots, req.Because = doc.Requirement.Encrypt, doc.Requirement.PublicRoots, doc.Requirement.Because
	if names := doc.Requirement.Versions; names != nil {
		req.BarredVersions = tlsnames.AllVersions.Without(versionsNamed(*names))
	}
	if names := doc.Requirement.Suites; names != nil {
		req.BarredSuites = tlsnames.AllSuites().Without(suitesNamed(*names))
	}
	var err error
	if req.OnFailure, err = onFailureNamed(doc.Requirement.OnFailure); err != nil {
		return policy.Decision{}, err
	}
	for _, r := range doc.Requirement.Roots {
		hash, err := hex.DecodeString(r.SHA256)
		if err != nil || len(hash) != sha256.Size {
			return policy.Decision{}, errDamaged("its trust anchors are not named as they should be")
		}
		text, err := pem(factHash(hash))
		if err != nil {
			return policy.Decision{}, err
		}
		req.Roots = append(req.Roots, policy.Roots{ID: r.ID, Name: r.Name, PEM: []byte(text)})
	}
	return d, nil
}

func versionsNamed(names []string) tlsnames.VersionSet {
	var set tlsnames.VersionSet
	for _, name := range names {
		if v, ok := tlsnames.ParseVersion(name); ok {
			set |= tlsnames.VersionsOf(v)
		}
	}
	return set
}

func suitesNamed(names []string) tlsnames.SuiteSet {
	var set tlsnames.SuiteSet
	for _, name := range names {
		if s, ok := tlsnames.ParseSuite(name); ok {
			set |= tlsnames.SuitesOf(s)
		}
	}
	return set
}

func onFailureNamed(name string) (policy.OnFailure, error) {
	for f := policy.FailureUnset; f <= policy.FailureBounce; f++ {
		if f.String() == name {
			return f, nil
		}
	}
	return 0, errDamaged("on_failure is %q", name)
}

// strictJSON reads one JSON value of which every member is known.
func strictJSON(body string, to any) error {
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return errDamaged("it is not JSON as this sendctl writes it: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errDamaged("it is followed by something else")
	}
	return nil
}

// jsonLines reads JSON values, a line each.
func jsonLines(text string, each func(line []byte) error) error {
	for line := range bytes.Lines([]byte(text)) {
		if err := each(line); err != nil {
			return err
		}
	}
	return nil
}

// joined is the stricter of what was accepted before and what is demanded now.
func joined(old, more *policy.Decision) policy.Decision {
	d := *old
	d.Requirement = policy.Join(old.Requirement, more.Requirement)
	if d.Requirement.Encrypt {
		d.Mode = policy.ModeForced
	}
	d.Rules = union(old.Rules, more.Rules)
	return d
}

// union is the names of both, each once, in their order.
func union(a, b []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, list := range [][]string{a, b} {
		for _, name := range list {
			if !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out
}
