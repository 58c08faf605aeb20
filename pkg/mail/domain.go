package mail

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Limits of RFC 1035 §2.3.4, in octets: a name in text form without its final dot.
const (
	maxLabelOctets  = 63
	maxDomainOctets = 253
)

// CanonicalDomain turns a domain as people or DNS write it into the one form that is
// compared everywhere: lower-case A-labels (RFC 5890 §2.3.2.1, mapped as UTS #46 says)
// without a final dot. Labels have letters, digits, hyphens and underscores, at most 63
// octets; the whole at most 253. Address literals, bare IPv4 addresses, empty labels and
// labels that begin or end with a hyphen are errors. A single label is none.
func CanonicalDomain(s string) (string, error) {
	d := s
	if !isASCII(s) || hasALabel(s) {
		switch {
		case !utf8.ValidString(s): // idna would make a label of U+FFFD
			return "", fmt.Errorf("domain %s is not UTF-8", excerpt(s))
		case len(s) > utf8.UTFMax*(maxDomainOctets+1): // idna takes quadratic time
			return "", fmt.Errorf("domain %s is too long", excerpt(s))
		}
		var err error
		if d, err = toASCII(s); err != nil {
			return "", fmt.Errorf("domain %s is no valid internationalised name: %w", excerpt(s), err)
		}
	}
	d = strings.TrimSuffix(lowerASCII(d), ".")
	if reason := domainFault(d); reason != "" {
		return "", fmt.Errorf("domain %s %s", excerpt(s), reason)
	}
	return d, nil
}

// toASCII applies UTS #46. idna.Lookup would not do: it lets empty and 64-octet labels
// pass and refuses underscores. What StrictDomainName(false) lets through otherwise is
// for domainFault; so are hyphens, for CheckHyphens refuses the "r3---sn" of real names.
func toASCII(s string) (string, error) {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false),
		idna.VerifyDNSLength(true), idna.StrictDomainName(false)).ToASCII(s)
}

// hasALabel reports a label that claims to be Punycode and must prove it.
func hasALabel(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if len(label) >= 4 && strings.EqualFold(label[:4], "xn--") {
			return true
		}
	}
	return false
}

// lowerASCII is strings.ToLower for what is ASCII, and the same string where it is lower
// already.
func lowerASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// domainFault says what is wrong with a lower-case domain in ASCII, "" for nothing.
func domainFault(d string) string {
	if d == "" {
		return "is empty"
	}
	if len(d) > maxDomainOctets {
		return fmt.Sprintf("has %d octets, more than %d", len(d), maxDomainOctets)
	}
	start, digits := 0, true
	for i := 0; i <= len(d); i++ {
		if i < len(d) && d[i] != '.' {
			if !isLabelOctet(d[i]) {
				return fmt.Sprintf("has the character %q, which no host name has", d[i])
			}
			digits = digits && isDigit(d[i])
			continue
		}
		if reason := labelFault(d[start:i]); reason != "" {
			return reason
		}
		if i == len(d) && digits {
			// RFC 3696 §2: no top-level domain is all digits; this is an IPv4 address.
			return "ends in a number: an address literal is no mail domain"
		}
		start, digits = i+1, true
	}
	return ""
}

func labelFault(label string) string {
	switch {
	case label == "":
		return "has an empty label"
	case len(label) > maxLabelOctets:
		return fmt.Sprintf("has a label of %d octets, more than %d", len(label), maxLabelOctets)
	case label[0] == '-' || label[len(label)-1] == '-':
		// RFC 1123 §2.1.
		return "has a label that begins or ends with a hyphen"
	}
	return ""
}

func isLabelOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || isDigit(c) || c == '-' || c == '_'
}
