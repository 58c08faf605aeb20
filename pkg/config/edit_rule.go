package config

// RuleFields is what a new rule shall say, or what an edit shall change: a nil field is left
// alone, an empty one removed.
type RuleFields struct {
	Description  *string
	Enabled      *bool
	To           *[]string
	From         *[]string
	Subject      *[]string
	RelayWithTLS *bool
	Profile      *string
}

func (f RuleFields) top() []field {
	return flagField(textField(nil, f.Description, "description"), f.Enabled, "enabled")
}

func (f RuleFields) criteria() []field {
	fields := listField(nil, f.To, "criteria", "to")
	fields = listField(fields, f.From, "criteria", "from")
	return listField(fields, f.Subject, "criteria", "subject")
}

func (f RuleFields) action() []field {
	return textField(flagField(nil, f.RelayWithTLS, "action", "relay_with_tls"), f.Profile, "action", "profile")
}

// CreateRule writes a new rule under dir, which is created where it is missing, and gives its
// path. Where the fields do not say otherwise it is disabled and relays with TLS. Unless it is
// valid, nothing is written; errors are as those of CreateProfile.
func CreateRule(dir, name string, f RuleFields) (string, error) {
	w, err := rulePart().open(dir, name)
	if err != nil {
		return "", err
	}
	defer w.close()
	if w.part.exists(w.dir, w.name) {
		return "", w.taken()
	}
	data, err := f.compose(name)
	if err != nil {
		return "", err
	}
	return w.path, w.blame(w.create(data))
}

// compose writes the text of a new rule.
func (f RuleFields) compose(name string) ([]byte, error) {
	off, on := false, true
	if f.Enabled == nil {
		f.Enabled = &off
	}
	if f.RelayWithTLS == nil {
		f.RelayWithTLS = &on
	}
	top := append([]field{{[]string{"name"}, name}}, f.top()...)
	return compose(section{"", append(top, field{[]string{"direction"}, "outgoing"})},
		section{"criteria", f.criteria()}, section{"action", f.action()})
}

// CheckRule is the error that CreateRule would give; see CheckProfile.
func CheckRule(dir, name string, f RuleFields) error {
	w, err := rulePart().look(dir, name)
	if err != nil {
		return err
	}
	if w.part.exists(dir, name) {
		return w.taken()
	}
	data, err := f.compose(name)
	if err != nil {
		return err
	}
	return w.blame(w.check(data))
}

// EditRule changes fields of a rule, its comments and all else kept, and gives its path.
// Unless the result is valid, nothing is written; errors are as those of CreateProfile.
func EditRule(dir, name string, f RuleFields) (string, error) {
	w, err := rulePart().openExisting(dir, name)
	if err != nil {
		return "", err
	}
	defer w.close()
	old, err := w.current()
	if err != nil {
		return "", err
	}
	data, err := splice(old, append(append(f.top(), f.criteria()...), f.action()...))
	if err != nil {
		return "", w.notSpliced(err)
	}
	return w.path, w.blame(w.replace(old, data))
}

// EnableRule switches a rule on or off and gives its path.
func EnableRule(dir, name string, on bool) (string, error) {
	return EditRule(dir, name, RuleFields{Enabled: &on})
}

// RuleSource is the text of a rule as it stands in its file, a broken one too.
func RuleSource(dir, name string) ([]byte, error) { return rulePart().source(dir, name) }

// ReplaceRule puts after in the place of a rule's text; see ReplaceProfile.
func ReplaceRule(dir, name string, before, after []byte) (string, error) {
	return rulePart().replaceFile(dir, name, before, after)
}

// DeleteRule removes a rule, a broken one too, and gives the path where it was.
func DeleteRule(dir, name string) (string, error) {
	w, err := rulePart().openExisting(dir, name)
	if err != nil {
		return "", err
	}
	defer w.close()
	return w.path, w.remove()
}
