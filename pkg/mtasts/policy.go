package mtasts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Mode is what a domain wants done with hosts that do not fit its policy.
type Mode string

// The modes (RFC 8461 §5).
const (
	Enforce Mode = "enforce" // they get no mail
	Testing Mode = "testing" // they do, and it is reported
	None    Mode = "none"    // the domain has no policy any more
)

// Policy is a valid policy.
type Policy struct {
	Mode   Mode
	MX     []string // lower case, without final dot; "*." stands for one label
	MaxAge time.Duration
}

// Limits on a policy (RFC 8461 §3.2, §3.3).
const (
	MaxPolicy = 64 << 10 // octets
	maxAge    = 31557600 // seconds: about a year
	maxMX     = 100
)

// ParsePolicy reads the body of a policy file (RFC 8461 §3.2). Lines end in CRLF or LF,
// unknown keys are passed over, of a key said twice the first counts, save for mx. Whatever
// else is not as the standard has it makes it no policy.
func ParsePolicy(body []byte) (Policy, error) {
	if len(body) > MaxPolicy {
		return Policy{}, fmt.Errorf("the policy has more than %d octets", MaxPolicy)
	}
	if !utf8.Valid(body) {
		return Policy{}, errors.New("the policy is not valid UTF-8")
	}
	fields := map[string]string{}
	var p Policy
	lines := strings.Split(string(body), "\n")
	for i, line := range lines {
		line = strings.TrimRight(strings.TrimSuffix(line, "\r"), " \t")
		if line == "" {
			if i == len(lines)-1 || strings.Trim(strings.Join(lines[i:], ""), "\r \t") == "" {
				break
			}
			return Policy{}, fmt.Errorf("line %d is empty", i+1)
		}
		key, value, err := field(line)
		if err != nil {
			return Policy{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if key == "mx" {
			pattern, err := parsePattern(value)
			if err != nil {
				return Policy{}, fmt.Errorf("line %d: %w", i+1, err)
			}
			if len(p.MX) == maxMX {
				return Policy{}, fmt.Errorf("more than %d mx", maxMX)
			}
			p.MX = append(p.MX, pattern)
		} else if _, twice := fields[key]; !twice {
			fields[key] = value
		}
	}
	return p.finish(fields)
}

// finish reads the fields that come once.
func (p Policy) finish(fields map[string]string) (Policy, error) {
	if v := fields["version"]; v != "STSv1" {
		return Policy{}, fmt.Errorf("version is %q, not STSv1", v)
	}
	p.Mode = Mode(fields["mode"])
	if !slices.Contains([]Mode{Enforce, Testing, None}, p.Mode) {
		return Policy{}, fmt.Errorf("mode is %q, none of enforce, testing and none", fields["mode"])
	}
	age := fields["max_age"]
	seconds, err := strconv.ParseUint(age, 10, 64)
	if err != nil || len(age) > 10 || seconds > maxAge || age[0] == '+' {
		return Policy{}, fmt.Errorf("max_age is %q, not a number of seconds up to %d", age, maxAge)
	}
	p.MaxAge = time.Duration(seconds) * time.Second
	if len(p.MX) == 0 && p.Mode != None {
		return Policy{}, errors.New("there is no mx")
	}
	return p, nil
}

// field splits a line (RFC 8461 §3.2: sts-policy-field).
func field(line string) (key, value string, err error) {
	key, value, ok := strings.Cut(line, ":")
	if !ok {
		return "", "", errors.New("no colon")
	}
	if key == "" || len(key) > 32 || !alphanumeric(key[0]) || strings.ContainsFunc(key, func(r rune) bool {
		return r > 0x7e || !alphanumeric(byte(r)) && !strings.ContainsRune("_-.", r)
	}) {
		return "", "", fmt.Errorf("%q is no key", key)
	}
	value = strings.Trim(value, " \t")
	if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return "", "", errors.New("a control character")
	}
	return key, value, nil
}

func alphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// parsePattern reads an mx: a host's name, or "*." and a domain (RFC 8461 §4.1). Case and a
// final dot are forgiven, for they change nothing.
func parsePattern(s string) (string, error) {
	p := strings.ToLower(strings.TrimSuffix(s, "."))
	labels := strings.Split(strings.TrimPrefix(p, "*."), ".")
	if len(p) > 253 || len(labels) < 2 {
		return "", fmt.Errorf("mx %q is no host name", s)
	}
	numeric := true
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return "", fmt.Errorf("mx %q is no host name", s)
		}
		for _, r := range l {
			if r > 0x7e || !alphanumeric(byte(r)) && r != '-' && r != '_' {
				return "", fmt.Errorf("mx %q is no host name", s)
			}
		}
		numeric = strings.Trim(l, "0123456789") == ""
	}
	if numeric {
		return "", fmt.Errorf("mx %q is an address", s)
	}
	return p, nil
}

// Matches reports whether the policy names the host (RFC 8461 §4.1): a wildcard stands for
// exactly one label.
func (p Policy) Matches(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, mx := range p.MX {
		if parent, ok := strings.CutPrefix(mx, "*."); ok {
			if label, rest, _ := strings.Cut(host, "."); label != "" && rest == parent {
				return true
			}
		} else if mx == host {
			return true
		}
	}
	return false
}
