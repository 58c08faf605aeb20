// Package mail holds the words of mail: address, envelope, message, reply and status.
//
// It knows RFC 5321 and RFC 5322 syntax and nothing of networks, files, time or policy.
package mail

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of RFC 5321 §4.5.3.1, in octets. A path is at most 256 octets with its angle
// brackets, so an address is at most 254.
const (
	maxLocalOctets   = 64
	maxAddressOctets = 254
)

// Address is a mailbox (RFC 5321 §4.1.2). Local is the local part without quotes,
// Domain the domain in lower-case A-labels without a final dot. The zero value is the
// null reverse-path <>. Addresses are comparable.
type Address struct {
	Local, Domain string
}

// IsNull reports the null reverse-path.
func (a Address) IsNull() bool { return a == Address{} }

// String is the address as MAIL and RCPT write it between angle brackets: the local
// part is quoted where it is no dot-string. The null reverse-path is "".
func (a Address) String() string {
	if a.IsNull() {
		return ""
	}
	return quoteLocal(a.Local) + "@" + a.Domain
}

// NeedsSMTPUTF8 reports a local part outside ASCII, which only a server that offers
// SMTPUTF8 can take (RFC 6531 §3.2). The domain is in A-labels and never the cause.
func (a Address) NeedsSMTPUTF8() bool { return !isASCII(a.Local) }

// Envelope is what MAIL and RCPT say (RFC 5321 §2.3.1).
type Envelope struct {
	ReversePath Address
	Recipients  []Address
}

// ParseAddress reads one addr-spec (RFC 5321 §4.1.2 Mailbox), without display name,
// comments, angle brackets or white space around it. Quoted local parts are kept
// (unquoted in Address.Local), the domain becomes canonical (see CanonicalDomain).
//
// Refused, each with its reason: source routes, address literals, domains without a
// dot, the percent hack and bang paths, angle brackets and control characters even
// within quotes, a local part that begins with a hyphen, and what exceeds the limits
// of RFC 5321 §4.5.3.1.
func ParseAddress(s string) (Address, error) {
	r := addressReader{b: []byte(s)}
	a, bad := r.addrSpec()
	if bad == nil && r.pos < len(r.b) {
		bad = r.unexpected()
	}
	if bad != nil {
		return Address{}, fmt.Errorf("address %s: %w", excerpt(s), bad)
	}
	return a, nil
}

// syntaxError is what is wrong at one octet of an address or an address list.
type syntaxError struct {
	at           int // offset in what the reader was given
	reason, hint string
}

func (e *syntaxError) Error() string {
	if e.hint == "" {
		return e.reason
	}
	return e.reason + " (" + e.hint + ")"
}

// newAddress makes the Address of raw, a local part as written (quoted or not), an @
// and a domain; at is where the @ stands in raw.
func newAddress(raw []byte, at int) (Address, *syntaxError) {
	s := string(raw) // one allocation holds both parts of the common address
	local := s[:at]
	if local != "" && local[0] == '"' {
		local = unquoteLocal(local)
	} else if !isDotString(local) {
		return Address{}, &syntaxError{reason: "the local part has an empty word or a stray dot",
			hint: `write a name@domain; a local part with odd dots needs quotes: "a..b"@example.com`}
	}
	if bad := checkLocal(local); bad != nil {
		return Address{}, bad
	}
	if at+1 == len(s) {
		return Address{}, &syntaxError{reason: "the domain is missing", hint: "write name@domain"}
	}
	domain, err := CanonicalDomain(s[at+1:])
	if err != nil {
		return Address{}, &syntaxError{reason: err.Error()}
	}
	if strings.IndexByte(domain, '.') < 0 {
		return Address{}, &syntaxError{reason: "the domain has no dot",
			hint: "write a full domain such as example.com"}
	}
	a := Address{Local: local, Domain: domain}
	if n := len(quoteLocal(local)); n > maxLocalOctets {
		// RFC 5321 §4.5.3.1.1: 64 octets, counted as they go over the wire.
		return Address{}, &syntaxError{reason: fmt.Sprintf("the local part has %d octets, more than %d", n, maxLocalOctets)}
	} else if n += 1 + len(domain); n > maxAddressOctets {
		return Address{}, &syntaxError{reason: fmt.Sprintf("the address has %d octets, more than %d", n, maxAddressOctets)}
	}
	return a, nil
}

// checkLocal refuses what no local part may hold, quoted or not.
func checkLocal(local string) *syntaxError {
	switch {
	case local == "":
		return &syntaxError{reason: "the local part is empty", hint: "write name@domain"}
	case local[0] == '-':
		// Mail programs have taken such an address for an option.
		return &syntaxError{reason: "the local part begins with a hyphen"}
	case strings.IndexByte(local, '%') >= 0 || strings.IndexByte(local, '!') >= 0:
		// RFC 5321 Appendix C, F.2: source routing in disguise.
		return &syntaxError{reason: "the local part has a % or !, which some servers read as a route"}
	case strings.IndexByte(local, '<') >= 0 || strings.IndexByte(local, '>') >= 0:
		return &syntaxError{reason: "the local part has an angle bracket"}
	}
	for _, r := range local {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return &syntaxError{reason: fmt.Sprintf("the local part has the unprintable character %U", r)}
		}
	}
	return nil
}

// unquoteLocal undoes a Quoted-string (RFC 5321 §4.1.2), which begins and ends in '"'.
func unquoteLocal(q string) string {
	inner := q[1 : len(q)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			i++ // the reader that found the closing quote has seen the pair's second octet
		}
		b.WriteByte(inner[i])
	}
	return b.String()
}

// quoteLocal writes a local part as RFC 5321 §4.1.2 wants it: plain where it is a
// Dot-string, else as a Quoted-string.
func quoteLocal(local string) string {
	if isDotString(local) {
		return local
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(local) {
		if local[i] == '"' || local[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// isDotString reports the Dot-string of RFC 5321 §4.1.2 with RFC 6531's UTF-8.
func isDotString(s string) bool {
	afterDot := true
	for i := range len(s) {
		switch {
		case s[i] == '.' && !afterDot:
			afterDot = true
		case isAtext(s[i]):
			afterDot = false
		default:
			return false
		}
	}
	return !afterDot
}

// isAtext reports an octet of an atom (RFC 5322 §3.2.3, RFC 6532 §3.2).
func isAtext(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= utf8.RuneSelf:
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// excerpt quotes the offending text of a message for people: cleaned and short.
func excerpt(s string) string {
	const most = 80
	clean := Clean(s[:min(len(s), 4*most)])
	if utf8.RuneCountInString(clean) > most {
		clean = string([]rune(clean)[:most]) + "…"
	}
	return `"` + clean + `"`
}
