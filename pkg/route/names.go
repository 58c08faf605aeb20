package route

import (
	"net/netip"
	"strings"
)

const (
	maxName  = 253 // RFC 1035 §2.3.4: 255 octets on the wire
	maxLabel = 63
)

// hostName brings a name to the form in which it is asked and returned: lower case,
// without the final dot. It reports false for what cannot name a host: an empty label, one
// over 63 octets, more than 253 octets, anything but letters, digits, hyphen and
// underscore. The underscore is no host name (RFC 1123 §2.1), but hosts that have one get
// mail everywhere, and service labels such as _mta-sts need it.
func hostName(s string) (string, bool) {
	name := lower(strings.TrimSuffix(s, "."))
	if name == "" || len(name) > maxName {
		return "", false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return "", false
		}
		for i := range len(label) {
			if !hostByte(label[i]) {
				return "", false
			}
		}
	}
	return name, true
}

func hostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// badHost says why the target of an MX record cannot be a mail host, or "".
func badHost(target string) string {
	name := strings.TrimSuffix(target, ".")
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return "an IP address, where RFC 5321 §5.1 demands a host name"
	}
	if _, ok := hostName(target); !ok {
		return "no host name"
	}
	return ""
}
