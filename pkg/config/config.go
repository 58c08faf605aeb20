// Package config reads profiles, rules and sendctl.toml from disk, strictly and with the place of every fault, and edits them with their comments kept.
//
// [Load] never stops at the first fault: it gives everything that is wrong, with file, line,
// column and the accepted forms. A configuration with errors is there to be shown and mended,
// never to send with: a typo must not weaken anybody's security (fail closed). The shipped
// profiles are there without any directory.
package config

import (
	"slices"

	"github.com/sendctl/sendctl/pkg/policy"
)

// Config is everything that was configured, sorted by name.
type Config struct {
	Dir      string // "" where there is no configuration directory
	Profiles []Profile
	Rules    []Rule
	Settings Settings

	// broken holds the names of profiles whose file has errors: they are known, yet of no use.
	broken map[string]bool
}

// Profile is the profile of that name; false where there is none. The null profile has none.
func (c *Config) Profile(name string) (*Profile, bool) {
	i := slices.IndexFunc(c.Profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return nil, false
	}
	return &c.Profiles[i], true
}

// Rule is the rule of that name; false where there is none.
func (c *Config) Rule(name string) (*Rule, bool) {
	i := slices.IndexFunc(c.Rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return nil, false
	}
	return &c.Rules[i], true
}

// ProfileNames lists the profiles' names, sorted.
func (c *Config) ProfileNames() []string {
	names := make([]string, len(c.Profiles))
	for i, p := range c.Profiles {
		names[i] = p.Name
	}
	return names
}

// RuleNames lists the rules' names, sorted.
func (c *Config) RuleNames() []string {
	names := make([]string, len(c.Rules))
	for i, r := range c.Rules {
		names[i] = r.Name
	}
	return names
}

// PolicyRules is the rules as policy.For takes them, disabled ones too, for near misses.
func (c *Config) PolicyRules() []policy.Rule {
	rules := make([]policy.Rule, len(c.Rules))
	for i, r := range c.Rules {
		rules[i] = r.Rule
	}
	return rules
}

// Sender is the profile to send with. "-" is the null profile, which is also what a caller
// gives where none was chosen; it is what null_profile names, or unencrypted transport. An
// empty name, and the null profile under require_profile, is a *UsageError; a profile that is
// not there, or whose file is broken, an *Error, and never the null profile (C4).
func (c *Config) Sender(name string) (policy.Sender, error) {
	switch {
	case name == "":
		return policy.Sender{}, &UsageError{"the profile's name is empty", "name a profile, or - for the null profile"}
	case name == policy.NullProfile && c.Settings.RequireProfile:
		return policy.Sender{}, &UsageError{"a profile is required, for require_profile is true in " + c.Settings.File,
			"name one with --profile: " + oneOf(c.ProfileNames())}
	case name == policy.NullProfile && c.Settings.NullProfile == "":
		return policy.Sender{Name: policy.NullProfile}, nil
	}
	actual, shown := name, name
	if name == policy.NullProfile {
		actual = c.Settings.NullProfile
	}
	p, err := c.Named(actual)
	if err != nil {
		return policy.Sender{}, err
	}
	return policy.Sender{Name: shown, Profile: &p.Profile}, nil
}

// Named is the profile of that name, or an *Error with a suggestion where there is none.
func (c *Config) Named(name string) (*Profile, error) {
	if c.broken[name] {
		return nil, &Error{Message: "profile " + name + " has errors", Hint: "sendctl validate shows them"}
	}
	p, ok := c.Profile(name)
	if !ok {
		return nil, profilePart().unknown(name, c.ProfileNames())
	}
	return p, nil
}

// NamedRule is the rule of that name, or an *Error with a suggestion where there is none.
func (c *Config) NamedRule(name string) (*Rule, error) {
	r, ok := c.Rule(name)
	if !ok {
		return nil, rulePart().unknown(name, c.RuleNames())
	}
	return r, nil
}

// PoolOf is the pool that a profile's mail leaves from; without a profile the default one.
func (c *Config) PoolOf(p *policy.Profile) Pool {
	name := policy.DefaultPool
	if p != nil && p.Pool != "" {
		name = p.Pool
	}
	return c.Settings.Pools[name]
}
