// Package mail holds the words of mail: address, envelope, message, reply and status.
//
// It knows RFC 5321 and RFC 5322 syntax and nothing of networks, files, time or policy.
package mail

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Address is a mailbox (RFC 5321 §4.1.2). Local is the local part without quotes,
// Domain the domain in lower-case A-labels without a final dot. The zero value is the
// null reverse-path <>. Addresses are comparable.
type Address struct {
	Local, Domain string
}

// IsNull reports the null reverse-path.
func (a Address) IsNull() bool { return a == Address{} }

// NeedsSMTPUTF8 reports a local part that only SMTPUTF8 can carry (RFC 6531 §3.3).
func (a Address) NeedsSMTPUTF8() bool {
	for i := range len(a.Local) {
		if a.Local[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// String is the addr-spec, its local part quoted where it must be; "" for the null reverse-path.
func (a Address) String() string {
	if a.IsNull() {
		return ""
	}
	if isDotString(a.Local) {
		return a.Local + "@" + a.Domain
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(a.Local) {
		if c := a.Local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(a.Local[i])
	}
	b.WriteString(`"@`)
	b.WriteString(a.Domain)
	return b.String()
}

// isDotString reports a local part that needs no quotes (RFC 5321 §4.1.2 Dot-string, RFC 6531 §3.3).
func isDotString(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf, c == '.', c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// Envelope is what MAIL and RCPT say (RFC 5321 §2.3.1).
type Envelope struct {
	ReversePath Address
	Recipients  []Address
}

// Limits of RFC 5321 §4.5.3.1.
const (
	maxLocal  = 64
	maxDomain = 253
	maxPath   = 254 // 256 less the angle brackets
)

// ParseAddress reads one addr-spec, without display name and angle brackets: the form in which
// addresses are given to commands and in rules. Address literals, source routes, the percent
// hack and bang paths are refused, and so is a domain without a dot.
func ParseAddress(s string) (Address, error) {
	bad := func(what string) (Address, error) {
		return Address{}, fmt.Errorf("%q is no address: %s", Clean(s), what)
	}
	at := strings.LastIndexByte(s, '@')
	switch {
	case !utf8.ValidString(s):
		return bad("it is not valid UTF-8")
	case strings.ContainsAny(s, "\r\n\x00<>"):
		return bad("it has angle brackets or control characters")
	case at < 0:
		return bad("there is no @ in it")
	case strings.HasPrefix(s, "@"):
		return bad("there is nothing before the @")
	}
	local, err := parseLocal(s[:at])
	if err != nil {
		return bad(err.Error())
	}
	if strings.HasPrefix(s[at+1:], "[") {
		return bad("address literals are not accepted; name a domain")
	}
	domain, err := CanonicalDomain(s[at+1:])
	if err != nil {
		return bad(err.Error())
	}
	if !strings.Contains(domain, ".") {
		return bad("the domain has no dot")
	}
	a := Address{Local: local, Domain: domain}
	if len(a.String()) > maxPath {
		return bad(fmt.Sprintf("it is longer than %d octets", maxPath))
	}
	return a, nil
}

// parseLocal reads a local part, quoted or not, and returns it without quotes.
func parseLocal(s string) (string, error) {
	quoted := len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"'
	local := s
	if quoted {
		var err error
		if local, err = unquote(s[1 : len(s)-1]); err != nil {
			return "", err
		}
	} else if !isDotString(s) {
		return "", errors.New("the part before the @ is not well formed")
	}
	switch {
	case len(local) > maxLocal:
		return "", fmt.Errorf("the part before the @ is longer than %d octets", maxLocal)
	case !quoted && strings.HasPrefix(local, "-"):
		return "", errors.New("the part before the @ begins with a hyphen, like an option")
	case !quoted && strings.ContainsAny(local, "%!"):
		return "", errors.New("routing with % or ! is not accepted")
	}
	return local, nil
}

func unquote(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			return "", errors.New("there is a quote inside the quotes")
		case c == '\\':
			i++
			if i == len(s) {
				return "", errors.New("there is a backslash at its end")
			}
			c = s[i]
		}
		if c < ' ' || c == 0x7f {
			return "", errors.New("there is a control character in it")
		}
		b.WriteByte(c)
	}
	if b.Len() == 0 {
		return "", errors.New("there is nothing between the quotes")
	}
	return b.String(), nil
}

// CanonicalDomain is a domain in lower-case A-labels (RFC 5890 §2.3.2.1) without a final dot,
// so that domains can be compared as text. Labels have 1 to 63 octets, all of it at most 253.
func CanonicalDomain(s string) (string, error) {
	profile := idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.VerifyDNSLength(true), idna.Transitional(false))
	domain, err := profile.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || domain == "" || len(domain) > maxDomain {
		return "", fmt.Errorf("%q is no domain name", Clean(s))
	}
	for i := range len(domain) {
		c := domain[i]
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", fmt.Errorf("%q is no domain name", Clean(s))
		}
	}
	return domain, nil
}
