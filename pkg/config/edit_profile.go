package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
	"github.com/sendctl/sendctl/profiles"
)

// ProfileFields is what a new profile shall say, or what an edit shall change: a nil field is
// left alone, an empty one removed.
type ProfileFields struct {
	Description       *string
	Pool              *string
	Mode              *string
	Protocols         *[]string
	Certificate       *string
	CAFile            *string
	Ciphers           *[]string
	ClientCertificate *string
	ClientKey         *string
	OnTLSFailure      *string
}

func (f ProfileFields) top() []field {
	fields := textField(nil, f.Description, "description")
	return textField(fields, f.Pool, "pool")
}

func (f ProfileFields) tls() []field {
	fields := textField(nil, f.Mode, "tls", "mode")
	fields = listField(fields, f.Protocols, "tls", "protocols")
	fields = textField(fields, f.Certificate, "tls", "certificate")
	fields = textField(fields, f.CAFile, "tls", "ca_file")
	fields = listField(fields, f.Ciphers, "tls", "ciphers")
	fields = textField(fields, f.ClientCertificate, "tls", "client_certificate")
	fields = textField(fields, f.ClientKey, "tls", "client_key")
	return textField(fields, f.OnTLSFailure, "tls", "on_tls_failure")
}

// withDefaults fills in what a new profile must say: forced, TLS 1.2 and 1.3 and a trusted
// certificate; an opportunistic one takes every version, since less would end in cleartext.
func (f ProfileFields) withDefaults() ProfileFields {
	text := func(s string) *string { return &s }
	if f.Pool == nil {
		f.Pool = text(policy.DefaultPool)
	}
	if f.Mode == nil {
		f.Mode = text(string(policy.ModeForced))
	}
	opportunistic := *f.Mode == string(policy.ModeOpportunistic)
	if f.Protocols == nil {
		versions := tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13)
		if opportunistic {
			versions = tlsnames.AllVersions
		}
		names := versions.Names()
		f.Protocols = &names
	}
	if f.Certificate == nil {
		switch {
		case f.CAFile != nil && *f.CAFile != "":
			f.Certificate = text(string(policy.CertificateCustom))
		case opportunistic:
			f.Certificate = text(string(policy.CertificateNone))
		default:
			f.Certificate = text(string(policy.CertificateDefault))
		}
	}
	return f
}

// CreateProfile writes a new profile under dir, which is created where it is missing, and
// gives its path. Fields that are nil get defaults: pool "default", mode "forced", TLS 1.2 and
// 1.3 (every version for an opportunistic one), certificate "default" ("none" for an
// opportunistic one, "custom" with a CAFile). Unless it is valid, nothing is written: a fault
// in name or fields is a *UsageError, one in what they refer to an *Error.
func CreateProfile(dir, name string, f ProfileFields) (string, error) {
	w, err := profilePart().open(dir, name)
	if err != nil {
		return "", err
	}
	defer w.close()
	if err := w.free(); err != nil {
		return "", err
	}
	data, err := f.compose(name)
	if err != nil {
		return "", err
	}
	return w.path, w.blame(w.create(data))
}

// compose writes the text of a new profile.
func (f ProfileFields) compose(name string) ([]byte, error) {
	f = f.withDefaults()
	top := append([]field{{[]string{"name"}, name}}, f.top()...)
	return compose(section{"", append(top, field{[]string{"created"}, today()})}, section{"tls", f.tls()})
}

// CheckProfile is the error that CreateProfile would give, nil where there is none: for asking
// again while somebody types. Nothing is written or locked.
func CheckProfile(dir, name string, f ProfileFields) error {
	w, err := profilePart().look(dir, name)
	if err != nil {
		return err
	}
	if err := w.free(); err != nil {
		return err
	}
	data, err := f.compose(name)
	if err != nil {
		return err
	}
	return w.blame(w.check(data))
}

// free reports a name that is taken, by a file or a shipped profile.
func (w *writer) free() error {
	if isShipped(w.name) {
		return &Error{Message: w.name + " is the name of a shipped profile", Hint: "choose another name"}
	}
	if w.part.exists(w.dir, w.name) {
		return w.taken()
	}
	return nil
}

func isShipped(name string) bool {
	_, err := profiles.FS.Open(name + ".toml")
	return err == nil
}

// EditProfile changes fields of a profile, its comments and all else kept, and gives its path.
// Unless the result is valid, nothing is written; errors are as those of CreateProfile. A
// shipped profile cannot be changed.
func EditProfile(dir, name string, f ProfileFields) (string, error) {
	w, err := openProfile(dir, name)
	if err != nil {
		return "", err
	}
	defer w.close()
	old, err := w.current()
	if err != nil {
		return "", err
	}
	data, err := splice(old, append(f.top(), f.tls()...))
	if err != nil {
		return "", w.notSpliced(err)
	}
	return w.path, w.blame(w.replace(old, data))
}

func (w *writer) notSpliced(err error) error {
	return &Error{Message: "editing " + w.path + ": " + err.Error(), Hint: "sendctl " + w.noun + " edit " + w.name + " without flags opens it in an editor", Cause: err}
}

// openProfile begins a change of a custom profile that exists.
func openProfile(dir, name string) (*writer, error) {
	if isShipped(name) {
		return nil, &Error{
			Message: "profile " + name + " is shipped with sendctl and cannot be changed",
			Hint:    "copy it and change the copy: sendctl profile copy " + name + " NAME",
		}
	}
	return profilePart().openExisting(dir, name)
}

// ProfileSource is the text of a profile as it stands in its file, a broken one too, or as it is shipped.
func ProfileSource(dir, name string) ([]byte, error) {
	if isShipped(name) {
		return profiles.FS.ReadFile(name + ".toml")
	}
	return profilePart().source(dir, name)
}

// ReplaceProfile puts after in the place of a profile's text, for an editor that was given
// before, and gives its path. Where the file changed meanwhile or after is not valid, there is
// an *Error and nothing is written.
func ReplaceProfile(dir, name string, before, after []byte) (string, error) {
	if isShipped(name) {
		_, err := openProfile(dir, name)
		return "", err
	}
	return profilePart().replaceFile(dir, name, before, after)
}

// CopyProfile writes a profile, shipped or custom, under another name, comments included, and
// gives the copy's path.
func CopyProfile(dir, from, to string) (string, error) {
	data, err := ProfileSource(dir, from)
	if err != nil {
		return "", err
	}
	w, err := profilePart().open(dir, to)
	if err != nil {
		return "", err
	}
	defer w.close()
	if err := w.free(); err != nil {
		return "", err
	}
	data, err = splice(data, []field{{[]string{"name"}, to}, {[]string{"created"}, today()}})
	if err != nil {
		return "", &Error{Message: "copying profile " + from + ": " + err.Error(), Hint: "sendctl validate shows what is wrong with it", Cause: err}
	}
	return w.path, w.create(data)
}

// DeleteProfile removes a profile and gives the path where it was. Refused with an *Error: a
// shipped one, one that a rule (disabled ones too) or null_profile names, and any while
// another file has errors, for that may name it too. Queued mail is the caller's to ask about.
func DeleteProfile(dir, name string) (string, error) {
	w, err := openProfile(dir, name)
	if err != nil {
		return "", err
	}
	defer w.close()
	if users := w.config.UsersOf(name); len(users) > 0 {
		return "", &Error{
			Message: fmt.Sprintf("profile %s is in use by %s", name, strings.Join(users, ", ")),
			Hint:    "let them name another profile first",
		}
	}
	// A rule whose only fault is that this profile is broken names it as well.
	if others := slices.DeleteFunc(slices.Clone(w.before.Errors), func(p Problem) bool { return p.File == w.path }); len(others) > 0 {
		return "", &Error{
			Message:  "whether profile " + name + " is in use cannot be told: " + others[0].String(),
			Hint:     "mend the configuration first: sendctl validate",
			Problems: others,
		}
	}
	if _, after := load(dir, map[string][]byte{w.path: nil}); len(after.Errors) > 0 {
		return "", &Error{Message: "profile " + name + " is in use: " + after.Errors[0].String(), Hint: "let it name another profile first"}
	}
	return w.path, w.remove()
}

// UsersOf lists what names a profile, in words: "rule NAME", disabled ones too, and null_profile.
func (c *Config) UsersOf(name string) []string {
	var users []string
	for _, r := range c.Rules {
		if r.ProfileName == name {
			users = append(users, "rule "+r.Name)
		}
	}
	if c.Settings.NullProfile == name {
		users = append(users, "null_profile in sendctl.toml")
	}
	return users
}
