package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Case is a policy test: a message's sender, recipient, subject and profile, and what its
// recipient's copy must then get.
type Case struct {
	Name    string
	Line    int    // where it begins in the file
	Profile string // policy.NullProfile where the case names none
	Facts   policy.Facts
	To      mail.Address
	Expect  []Expected // at least one, in the order of expectKeys
}

// Expected is one thing that is expected of a decision. Key is a name in the JSON of explain
// (or on_tls_failure) and Value what stands there: a string, a bool or a []string, lists in
// the order in which explain gives them, rules sorted.
type Expected struct {
	Key   string
	Value any
}

// Difference is an expectation that was not met.
type Difference struct {
	Key    string `json:"key"`
	Want   any    `json:"want"`
	Actual any    `json:"actual"`
}

// String is the difference in words: "tls_mode is opportunistic, not forced".
func (d Difference) String() string {
	return fmt.Sprintf("%s is %s, not %s", d.Key, inWords(d.Actual), inWords(d.Want))
}

func inWords(v any) string {
	if list, ok := v.([]string); ok {
		if len(list) == 0 {
			return "empty"
		}
		return strings.Join(list, " ")
	}
	if v == "" {
		return "not set"
	}
	return fmt.Sprint(v)
}

// Check decides as a send would, and gives what differs from what the case expects. The error
// is that of Sender, which LoadCases has ruled out.
func (c *Config) Check(test Case) ([]Difference, error) {
	sender, err := c.Sender(test.Profile)
	if err != nil {
		return nil, err
	}
	got := decided(policy.For(sender, c.PolicyRules(), test.Facts, test.To))
	var out []Difference
	for _, want := range test.Expect {
		if actual := got[want.Key]; inWords(actual) != inWords(want.Value) {
			out = append(out, Difference{want.Key, want.Value, actual})
		}
	}
	return out, nil
}

// decided is a decision by the keys of Expected.
func decided(d policy.Decision) map[string]any {
	r := d.Requirement
	versions, suites := []string{}, []string{}
	if r.Encrypt {
		versions, suites = r.Versions().Names(), r.Suites().Names()
	}
	return map[string]any{
		"profile": d.Profile, "tls_mode": string(d.Mode), "encrypt": r.Encrypt, "protocols": versions, "ciphers": suites,
		"certificate": string(r.Certificate()), "rules": append([]string{}, slices.Sorted(slices.Values(d.Rules))...), "on_tls_failure": r.OnFailure.String(),
	}
}

func expectKeys() []string {
	return []string{"profile", "tls_mode", "encrypt", "protocols", "ciphers", "certificate", "rules", "on_tls_failure"}
}

// LoadCases reads a file of policy tests (TOML, [[case]] tables) for a configuration without
// errors. A case that names a profile or rule which is not there is an error of the file. With
// errors the cases are incomplete and must not be relied on.
func LoadCases(path string, c *Config) ([]Case, Problems) {
	var problems Problems
	r := report{filepath.Clean(path), &problems}
	content, err := readFile(path, maxFile)
	if err != nil {
		text, hint := why(err)
		r.errorf(hint, "%s", text)
		return nil, problems
	}
	cases := c.readCases(r, content.data)
	problems.sort()
	return cases, problems
}

func (c *Config) readCases(r report, data []byte) []Case {
	top, ok := r.parse(data, "case")
	if !ok {
		return nil
	}
	const form = "write [[case]] on a line of its own, and below it name, to and expect"
	list := top.tables("case", form)
	if len(list) == 0 && len(r.Errors) == 0 {
		top.errorAt(top.doc.Key("case"), form, "there is no case")
	}
	var out []Case
	lines := map[string]int{}
	for _, t := range list {
		test := c.readCase(t)
		if first := lines[test.Name]; first > 0 && test.Name != "" {
			t.valuef("name each case differently", t.at("name"), "%q is the name of the case in line %d already", shorten(test.Name), first)
		} else {
			lines[test.Name] = test.Line
		}
		out = append(out, test)
	}
	return out
}

// tables reads an array of tables.
func (t table) tables(key, form string) []table {
	var list []any
	switch v := t.m[key].(type) {
	case nil:
	case []map[string]any:
		for _, m := range v {
			list = append(list, m)
		}
	case []any:
		list = v
	default:
		t.valuef(form, t.at(key), "tables are wanted, this is %s", typeName(v))
	}
	var out []table
	for i, element := range list {
		path := t.at(key, strconv.Itoa(i))
		m, ok := element.(map[string]any)
		if !ok {
			t.valuef(form, path, "a table is wanted, this is %s", typeName(element))
			continue
		}
		out = append(out, table{report: t.report, doc: t.doc, path: path, m: m})
	}
	return out
}

func (c *Config) readCase(t table) Case {
	t.only([]string{"name", "profile", "from", "to", "subject", "expect"})
	test := Case{Line: t.doc.Key(t.path...).Line, Profile: policy.NullProfile}
	if t.require("name", `name = "statements are forced"`) {
		if test.Name = t.text("name"); test.Name == "" && t.m["name"] == "" {
			t.valuef("say what the case shows", t.at("name"), "the name is empty")
		}
	}
	c.caseSender(t, &test)
	if t.has("from") {
		test.Facts.ReversePath = t.address("from", true)
	}
	if t.require("to", `to = "someone@example.com"`) {
		test.To = t.address("to", false)
	}
	if t.has("subject") {
		test.Facts.Subjects = []string{t.text("subject")}
	}
	c.expectations(t, &test)
	return test
}

// caseSender reads the profile, which must be one that can be sent with.
func (c *Config) caseSender(t table, test *Case) {
	at := t.doc.Key(t.path...)
	if t.has("profile") {
		at = t.doc.Value(t.at("profile")...)
		name, ok := t.m["profile"].(string)
		if !ok {
			t.wrongType("profile", t.m["profile"], "text", `"newsletter"`)
			return
		}
		test.Profile = name
	}
	if _, err := c.Sender(test.Profile); err != nil {
		t.errorAt(at, hintOf(err), "%s: %s", t.name("profile"), err)
	}
}

// hintOf is the hint of an error of this package.
func hintOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Hint
	}
	if e, ok := errors.AsType[*UsageError](err); ok {
		return e.Hint
	}
	return ""
}

// address reads one address; null tells whether it may be the null reverse-path.
func (t table) address(key string, null bool) mail.Address {
	s, ok := t.m[key].(string)
	if !ok {
		t.wrongType(key, t.m[key], "an address", `"someone@example.com"`)
		return mail.Address{}
	}
	if null && s == "<>" {
		return mail.Address{}
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.valuef("", t.at(key), "%s", err)
	}
	return a
}

// expectations reads what is expected of a case.
func (c *Config) expectations(t table, test *Case) {
	const example = `expect = { tls_mode = "forced", rules = ["bank"] }`
	if !t.require("expect", example) {
		return
	}
	if _, ok := t.m["expect"].(map[string]any); !ok {
		t.valuef("write "+example, t.at("expect"), "a table is wanted, this is %s", typeName(t.m["expect"]))
		return
	}
	e := t.sub("expect", expectKeys()...)
	if len(e.m) == 0 {
		t.valuef("write "+example, t.at("expect"), "nothing is expected")
	}
	for _, key := range expectKeys() {
		if e.has(key) {
			test.Expect = append(test.Expect, Expected{key, c.expectation(e, key)})
		}
	}
}

func (c *Config) expectation(e table, key string) any {
	switch key {
	case "encrypt":
		return e.flag(key)
	case "tls_mode":
		return e.choice(key, "", string(policy.ModeForced), string(policy.ModeOpportunistic), string(policy.ModeNone))
	case "certificate":
		return e.choice(key, "", string(policy.CertificateNone), string(policy.CertificateDefault), string(policy.CertificateCustom))
	case "on_tls_failure":
		return e.choice(key, "", policy.FailureBounce.String(), policy.FailureDefer.String())
	case "protocols":
		return e.expectedVersions()
	case "ciphers":
		return tlsnames.SuitesOf(e.suites()...).Names()
	case "rules":
		return c.expectedRules(e)
	}
	return e.text(key)
}

func (t table) expectedVersions() []string {
	var set tlsnames.VersionSet
	for _, it := range t.texts("protocols", `["TLSv1.2", "TLSv1.3"]`) {
		v, ok := tlsnames.ParseVersion(it.text)
		if !ok {
			t.valuef("accepted: "+oneOf(tlsnames.AllVersions.Names()), it.path, "%q is not a protocol version", shorten(it.text))
		}
		set |= tlsnames.VersionsOf(v)
	}
	return set.Names()
}

// suites reads a list of suites that may be empty.
func (t table) suites() []tlsnames.Suite {
	var out []tlsnames.Suite
	for _, it := range t.texts("ciphers", `["TLS_AES_256_GCM_SHA384"]`) {
		suite, ok := tlsnames.ParseSuite(it.text)
		if !ok {
			message, hint := unknownSuite(it.text)
			t.valuef(hint, it.path, "%s", message)
		}
		out = append(out, suite)
	}
	return out
}

// expectedRules reads names of rules, sorted. One that is not there could never match.
func (c *Config) expectedRules(t table) []string {
	out := []string{}
	for _, it := range t.texts("rules", `["bank"]`) {
		if _, ok := c.Rule(it.text); !ok {
			t.valuef(known("rules", it.text, c.RuleNames()), it.path, "there is no rule %s", quoted(it.text))
		}
		out = append(out, it.text)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
