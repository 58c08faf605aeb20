package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// The types of profiles, as profile list shows them.
const (
	TypeDefault = "default" // shipped with the program
	TypeCustom  = "custom"  // the user's own
)

// Profile is a sender profile as it was read, beside what policy makes of it.
type Profile struct {
	policy.Profile
	Type    string    // TypeDefault or TypeCustom
	File    string    // where it was read, "" for a shipped one
	Created time.Time // as written by create; zero where the file does not say
	Updated time.Time // when the file was last changed; zero for a shipped one
	// The files as the profile names them, relative to its own; "" where it names none.
	CAFile, ClientCertificateFile, ClientKeyFile string
}

// profileKeys is what a profile may say at the top, tlsKeys what under [tls].
func profileKeys() []string {
	return []string{"name", "description", "pool", "created", "tls"}
}

func tlsKeys() []string {
	return []string{"mode", "protocols", "certificate", "ca_file", "ciphers", "client_certificate", "client_key", "on_tls_failure"}
}

// profile reads one profile; what is wrong with it is reported.
func (l *loader) profile(r report, data []byte) Profile {
	p := Profile{Type: TypeCustom, File: r.file}
	top, ok := r.parse(data, profileKeys()...)
	if !ok {
		return p
	}
	l.profileDocs = append(l.profileDocs, top)
	p.Name = top.fileName()
	p.Description = top.text("description")
	p.Pool = policy.DefaultPool
	if top.has("pool") {
		p.Pool = top.text("pool")
		top.checkName("pool", p.Pool)
	}
	p.Created = top.created()
	tls := top.sub("tls", tlsKeys()...)
	p.Mode = tls.mode()
	p.Versions = tls.versions()
	p.OnFailure = tls.onFailure(p.Mode)
	if tls.has("ciphers") {
		p.Ciphers = tls.ciphers()
	}
	l.certificate(tls, &p)
	l.clientCertificate(tls, &p)
	warnProfile(tls, &p)
	return p
}

// fileName reads the name and holds it against the file's.
func (t table) fileName() string {
	stem := strings.TrimSuffix(filepath.Base(t.file), ".toml")
	if !t.require("name", "name = "+strconv.Quote(stem)) {
		return stem
	}
	name := t.text("name")
	if name == "" && t.m["name"] != "" {
		return stem // not text, which was reported
	}
	if t.checkName("name", name) && name != stem {
		t.valuef(fmt.Sprintf("write name = %q, or rename the file to %s.toml", stem, name), t.at("name"),
			"%q is not the file's name, %s.toml", name, shorten(stem))
	}
	return stem
}

// nameForm is what names look like.
const nameForm = "accepted: up to 64 of a-z, 0-9, _ and -, beginning with a letter or digit"

// checkName reports a name that is not well formed.
func (t table) checkName(key, name string) bool {
	if ValidName(name) {
		return true
	}
	if _, text := t.m[key].(string); text {
		t.valuef(nameForm, t.at(key), "%q is not a name", shorten(name))
	}
	return false
}

// ValidName reports whether s can be the name of a profile, rule or pool:
// [a-z0-9][a-z0-9_-]{0,63}.
func ValidName(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '_' || s[0] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

func (t table) created() time.Time {
	switch v := t.m["created"].(type) {
	case nil:
	case time.Time:
		// BurntSushi/toml marks dates and times of day alone by their location's name.
		if name := v.Location().String(); name != "date-local" && name != "time-local" {
			return v
		}
		t.wrongType("created", v, "a date with time", "2026-01-31T09:00:00Z")
	default:
		t.wrongType("created", v, "a date with time", "2026-01-31T09:00:00Z")
	}
	return time.Time{}
}

func (t table) mode() policy.Mode {
	if !t.require("mode", `mode = "forced" or mode = "opportunistic"`) {
		return ""
	}
	return policy.Mode(t.choice("mode", "", string(policy.ModeForced), string(policy.ModeOpportunistic)))
}

// versions reads the protocols: known ones, each once, without a gap between them.
func (t table) versions() tlsnames.VersionSet {
	const example = `["TLSv1.2", "TLSv1.3"]`
	if !t.require("protocols", "protocols = "+example) {
		return 0
	}
	forms := "accepted: " + oneOf(tlsnames.AllVersions.Names()) + ", consecutive, as in protocols = " + example
	items := t.texts("protocols", example)
	var set tlsnames.VersionSet
	for _, it := range items {
		v, ok := tlsnames.ParseVersion(it.text)
		switch {
		case !ok:
			t.valuef(forms, it.path, "%q is not a protocol version", shorten(it.text))
		case set.Has(v):
			t.valuef(forms, it.path, "%s is there twice", v)
		default:
			set |= tlsnames.VersionsOf(v)
		}
	}
	if list, ok := t.m["protocols"].([]any); ok && len(list) == 0 {
		t.valuef(forms, t.at("protocols"), "at least one version is wanted")
	}
	if !set.Consecutive() && len(set.List()) == len(items) {
		t.valuef(forms, t.at("protocols"), "there is a gap: %s", strings.Join(gap(set), ", ")+" missing between "+set.Min().String()+" and "+set.Max().String())
	}
	return set
}

// gap lists the versions that are missing between the oldest and the newest.
func gap(set tlsnames.VersionSet) []string {
	var out []string
	for _, v := range tlsnames.Versions() {
		if v > set.Min() && v < set.Max() && !set.Has(v) {
			out = append(out, v.String())
		}
	}
	return out
}

func (t table) onFailure(mode policy.Mode) policy.OnFailure {
	if t.has("on_tls_failure") && mode == policy.ModeOpportunistic {
		t.errorAt(t.doc.Key(t.at("on_tls_failure")...), "remove it, or write mode = \"forced\"",
			"%s: an opportunistic profile never fails for want of TLS", t.name("on_tls_failure"))
		return policy.FailureUnset
	}
	switch t.choice("on_tls_failure", "bounce", "bounce", "defer") {
	case "defer":
		return policy.FailureDefer
	default:
		if mode == policy.ModeOpportunistic {
			return policy.FailureUnset
		}
		return policy.FailureBounce
	}
}

// ciphers reads the cipher list: IANA or OpenSSL names of suites that Go's TLS can use.
func (t table) ciphers() []tlsnames.Suite {
	const example = `["ECDHE-RSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384"]`
	if list, ok := t.m["ciphers"].([]any); ok && len(list) == 0 {
		t.valuef("leave the key out for the default suites", t.at("ciphers"), "the list is empty")
	}
	var out []tlsnames.Suite
	for _, it := range t.texts("ciphers", example) {
		suite, ok := tlsnames.ParseSuite(it.text)
		if !ok {
			message, hint := unknownSuite(it.text)
			t.valuef(hint, it.path, "%s", message)
			continue
		}
		if slices.Contains(out, suite) {
			t.warnAt(t.doc.Value(it.path...), "remove one of them", "%s: %s is there twice", t.name("ciphers"), it.text)
			continue
		}
		out = append(out, suite)
	}
	return out
}

// unknownSuite says what is wrong with the name of a suite, and what may be meant.
func unknownSuite(name string) (message, hint string) {
	hint = "accepted: IANA or OpenSSL names, such as TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 or ECDHE-RSA-AES256-GCM-SHA384"
	if near := nearest(name, suiteNames()); near != "" {
		hint = "did you mean " + near + "?"
	}
	if reason := unusableReason(name); reason != "" {
		return fmt.Sprintf("%s cannot be used: %s", name, reason), hint
	}
	if isCipherString(name) {
		return fmt.Sprintf("%q is an OpenSSL cipher string", shorten(name)), "name the suites one by one; for the secure ones leave ciphers out"
	}
	return fmt.Sprintf("%q is not a cipher suite", shorten(name)), hint
}

// suiteNames is every name that is accepted in a cipher list.
func suiteNames() []string {
	var out []string
	for _, s := range tlsnames.AllSuites().List() {
		out = append(out, s.String())
		if s.OpenSSL() != s.String() {
			out = append(out, s.OpenSSL())
		}
	}
	return out
}
